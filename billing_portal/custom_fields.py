"""Fields an operator adds to clients and products; their answers are JSON on the row.

An answer is stored under the field's key, as text; a tick box stores true or false.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models

PREFIX = "asked_"
"""Of the names of further questions in a form that also asks other things."""
MAX_TEXT = 250
MAX_LONG_TEXT = 4000


class FieldKind(models.TextChoices):
    TEXT = "text", "Text"
    LINK = "link", "Link"
    CHOICE = "choice", "Choice of several"
    TICK = "tick", "Tick box"
    LONG_TEXT = "long_text", "Long text"


class CustomField(models.Model):
    """One further question.  Concrete fields say whom it is put to."""

    key = models.SlugField(max_length=40, help_text="The stable name; modules and the API read it.")
    label = models.CharField(max_length=80)
    kind = models.CharField(max_length=10, choices=FieldKind.choices, default=FieldKind.TEXT)
    choices = models.TextField(blank=True, help_text="For a choice: one per line.")
    pattern = models.CharField(
        max_length=200, blank=True, help_text="A regular expression the whole answer must match."
    )
    help_text = models.CharField(max_length=200, blank=True)
    required = models.BooleanField(default=False)
    staff_only = models.BooleanField(default=False, help_text="Clients neither see nor answer it.")
    on_invoice = models.BooleanField(default=False, help_text="Printed on invoices.")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        abstract = True
        ordering: ClassVar = ["position", "pk"]

    def __str__(self) -> str:
        return self.label

    def clean(self) -> None:
        """Refuse what no answer could ever match."""
        try:
            re.compile(self.pattern)
        except re.error as error:
            sentence = f"This is not a regular expression: {error}."
            raise ValidationError({"pattern": sentence}) from error
        if self.kind == FieldKind.CHOICE and not self.choice_list:
            raise ValidationError({"choices": "Write at least one choice, each on its own line."})

    @property
    def choice_list(self) -> list[str]:
        return [line.strip() for line in self.choices.splitlines() if line.strip()]


def form_field(asked: CustomField) -> forms.Field:
    """The form field that puts the question and checks the answer."""
    field: forms.Field = _KINDS[FieldKind(asked.kind)](asked)
    field.label, field.help_text, field.required = asked.label, asked.help_text, asked.required
    field.error_messages["required"] = (
        "Please tick this." if asked.kind == FieldKind.TICK else "Please fill this in."
    )
    if asked.pattern and asked.kind in (FieldKind.TEXT, FieldKind.LINK, FieldKind.LONG_TEXT):
        # The whole answer: without the group an alternative would match a part of it.
        whole = RegexValidator(
            rf"\A(?:{asked.pattern})\Z", "This does not look right. Please check it."
        )
        field.validators = [*field.validators, whole]
    return field


def form_fields(asked: Iterable[CustomField]) -> dict[str, forms.Field]:
    """The questions as fields of a form that also asks other things, by prefixed name."""
    return {f"{PREFIX}{one.key}": form_field(one) for one in asked}


def as_initial(answers: Mapping[str, Any]) -> dict[str, Any]:
    """Stored answers as the initial values of such a form."""
    return {f"{PREFIX}{key}": answer for key, answer in answers.items()}


def gathered(cleaned: Mapping[str, Any], *, before: Mapping[str, Any]) -> dict[str, Any]:
    """Cleaned values with the answers under one name, `custom_fields`.

    Answers to questions that were not put stay as they were `before`.  Without any
    question there is no such name.
    """
    asked = {name for name in cleaned if name.startswith(PREFIX)}
    if not asked:
        return dict(cleaned)
    answers = {name.removeprefix(PREFIX): cleaned[name] for name in asked}
    others = {name: value for name, value in cleaned.items() if name not in asked}
    return {**others, "custom_fields": {**before, **answers}}


def answered(asked: Iterable[CustomField], answers: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Labels and answers as people read them, in the fields' order; unanswered ones are left out.

    A tick box reads "Yes", or "No" once it was answered.
    """
    shown = [(one.label, one.kind, answers.get(one.key)) for one in asked]
    return [
        (label, ("Yes" if answer else "No") if kind == FieldKind.TICK else str(answer))
        for label, kind, answer in shown
        if answer not in (None, "")
    ]


def _choice(asked: CustomField) -> forms.ChoiceField:
    empty = [("", "Please choose")]
    field = forms.ChoiceField(choices=[*empty, *((one, one) for one in asked.choice_list)])
    field.error_messages["invalid_choice"] = "Please choose one of the list."
    return field


_KINDS: Mapping[FieldKind, Any] = {
    FieldKind.TEXT: lambda asked: forms.CharField(max_length=MAX_TEXT),
    FieldKind.LINK: lambda asked: forms.URLField(max_length=MAX_TEXT, assume_scheme="https"),
    FieldKind.CHOICE: _choice,
    FieldKind.TICK: lambda asked: forms.BooleanField(),
    FieldKind.LONG_TEXT: lambda asked: forms.CharField(
        max_length=MAX_LONG_TEXT, widget=forms.Textarea(attrs={"rows": 4})
    ),
}
