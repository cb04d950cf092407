"""Asking staff what a module wants to know, inside a form of ours.

A module's own form stays the judge: the fields here only carry its questions, and its
verdict is written beside them.
"""

import types
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from django import forms
from django.utils.html import conditional_escape
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from billing_portal.admin_print import dress
from provisioning import registry
from provisioning.models import Server

PREFIX = "credential_"
STORED = "Stored. Leave empty to keep it."
MASK = "\N{BULLET}" * 8


class Question(forms.Field):
    """A field that carries an answer unjudged."""

    def clean(self, value: Any) -> Any:
        return value


def question(field: forms.Field) -> Question:
    """A module's field as one of our form: same label, help and control."""
    ours = Question(
        label=field.label,
        help_text=_shown(field),
        initial=field.initial,
        required=field.required,
        widget=deepcopy(field.widget),
    )
    dress([ours])
    return ours


def secret_question(field: forms.Field) -> Question:
    """As `question`, but what is stored or was typed never comes back to the page."""
    widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}, render_value=False)
    return Question(
        label=field.label, help_text=_shown(field), required=field.required, widget=widget
    )


def _shown(field: forms.Field) -> str:
    """The help as plain text: the admin would take <suffix> in it for mark-up."""
    return conditional_escape(field.help_text)


def judge(
    form: forms.BaseForm,
    judged_by: type[forms.Form],
    answers: Mapping[str, Any],
    *,
    prefix: str,
) -> dict[str, Any]:
    """What the module's form makes of the answers; its errors land on our fields."""
    verdict = judged_by(answers)
    for name, errors in verdict.errors.items():
        form.add_error(f"{prefix}{name}" if name in answers else None, list(errors))
    return verdict.cleaned_data


class ServerForm(forms.ModelForm):
    """A server and its credentials.

    `for_module` adds one write-only field per question of the module's own form.  What is
    left empty keeps the stored value, and the module's form checks the outcome.
    """

    module_key: str = ""

    class Meta:
        model = Server
        fields = ("name", "base_url", "is_default", "disabled", "max_services", "notes")
        labels = {"is_default": "Default server", "max_services": "Most services"}  # noqa: RUF012
        # The admin's own would show the address a second time, as a link.
        widgets = {"base_url": UnfoldAdminTextInputWidget(attrs={"type": "url"})}  # noqa: RUF012

    @classmethod
    def for_module(cls, key: str) -> type["ServerForm"]:
        asked = {
            f"{PREFIX}{name}": secret_question(field) for name, field in cls.questions(key).items()
        }
        made: type[ServerForm] = types.new_class(
            "ModuleServerForm", (cls,), exec_body=lambda body: body.update(module_key=key, **asked)
        )
        return made

    @staticmethod
    def questions(key: str) -> Mapping[str, forms.Field]:
        """The module's questions by name; none if the module is not installed."""
        found = registry.modules().get(key)
        return found.server_form.base_fields if found else {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.module_key = self.instance.module_key or self.module_key
        for name in self.questions(self.module_key):
            field = self.fields.get(f"{PREFIX}{name}")
            if field and self.instance.credentials.get(name):
                field.required = False
                field.widget.attrs["placeholder"] = MASK
                field.help_text = f"{field.help_text} {STORED}".strip()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        self._check_default(cleaned)
        stored = self.instance.credentials
        answers = {
            name: cleaned.get(f"{PREFIX}{name}") or stored.get(name, "")
            for name in self.questions(self.module_key)
        }
        if answers:
            judged_by = registry.module_class(self.module_key).server_form
            credentials = judge(self, judged_by, answers, prefix=PREFIX)
            self.instance.credentials = {**stored, **credentials}
        return cleaned

    def _check_default(self, cleaned: Mapping[str, Any]) -> None:
        if not cleaned.get("is_default"):
            return
        others = Server.objects.filter(module_key=self.instance.module_key, is_default=True)
        if other := others.exclude(pk=self.instance.pk).first():
            self.add_error("is_default", f"{other} already is. Untick it there first.")
