"""Billing settings: when invoices are made, when they are due, and what else they follow."""

from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from billing_portal.audit.queries import history_of
from billing_portal.clock.reading import now
from billing_portal.invoices import rules
from billing_portal.invoices.models import BillingSettings
from billing_portal.invoices.queries import billing_rules
from billing_portal.products.models import CYCLE_MONTHS, Cycle
from billing_portal.staff.page import member, show, staff_page

HISTORY = 20
SHORTEST_MONTH = 28
CHANGE = "invoices.change_billingsettings"
LEAD_FIELDS = {cycle: f"lead_{cycle}" for cycle in Cycle if CYCLE_MONTHS[cycle]}
GROUPS = (
    (
        "When a period is invoiced",
        "With no lead days at all, a metered service's new period waits until the usage of the "
        "old one is known, so that both are on one invoice.",
        ("lead_days", *LEAD_FIELDS.values()),
    ),
    ("When an invoice is due", "", ("due_policy", "term_days")),
    (
        "When the first period of a new service begins",
        "Products that bill up to a day of the month keep that day either way.",
        ("start_policy",),
    ),
    ("Documents and credit", "", ("proforma", "credit_applies_itself")),
    ("Changes of services", "", ("change_offer_days",)),
)
"""Title, text and fields of each part of the form."""


class BillingSettingsForm(forms.ModelForm):
    """The row, with a field per cycle for its own lead days; empty means as for all."""

    class Meta:
        model = BillingSettings
        fields = (
            *("lead_days", "due_policy", "term_days", "start_policy", "proforma"),
            *("credit_applies_itself", "change_offer_days"),
        )
        labels: ClassVar = {
            "lead_days": "Lead days",
            "due_policy": "Due",
            "term_days": "Payment term in days",
            "start_policy": "It begins",
            "proforma": "Proforma until paid",
            "change_offer_days": "Days to pay for a change",
        }
        help_texts: ClassVar = {"term_days": "Of invoices that do not begin a period too."}

    def __init__(self, *args: Any, may_change: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = self.instance.lead_days_by_cycle
        for cycle, name in LEAD_FIELDS.items():
            self.fields[name] = forms.IntegerField(
                label=f"{cycle.label}, lead days",
                required=False,
                min_value=0,
                initial=own.get(cycle),
                help_text="Empty: as above." if cycle == Cycle.MONTHLY else "",
            )
        self.fields["lead_days"].widget.attrs["min"] = 0
        for name, most in (("term_days", 365), ("change_offer_days", 90)):
            self.fields[name].validators.append(_at_most(most))
        for field in self.fields.values():
            field.disabled = not may_change

    def clean(self) -> dict[str, Any]:
        """No period is invoiced before the one ahead of it has begun."""
        found: dict[str, Any] = super().clean() or {}
        for cycle, name in LEAD_FIELDS.items():
            own, everywhere = found.get(name), found.get("lead_days")
            most = CYCLE_MONTHS[cycle] * SHORTEST_MONTH - 1
            if own is not None and own > most:
                self.add_error(name, f"At most {most}: the period before must have begun.")
            elif own is None and everywhere is not None and everywhere > most:
                self.add_error(
                    "lead_days",
                    f"{cycle.label} has at most {most} lead days: give it fewer of its own.",
                )
        return found

    @property
    def values(self) -> dict[str, Any]:
        """The rules as they are stored."""
        own = {cycle: self.cleaned_data[name] for cycle, name in LEAD_FIELDS.items()}
        return {name: self.cleaned_data[name] for name in self.Meta.fields} | {
            "lead_days_by_cycle": {
                str(cycle): days for cycle, days in own.items() if days is not None
            }
        }

    @property
    def groups(self) -> list[tuple[str, str, list[forms.BoundField]]]:
        return [(title, text, [self[name] for name in names]) for title, text, names in GROUPS]


@staff_page("invoices.view_billingsettings")
def page(request: HttpRequest) -> HttpResponse:
    """The rules, to be changed by those who may, and who changed them before."""
    may_change = request.user.has_perm(CHANGE)
    if request.method == "POST" and not may_change:
        raise PermissionDenied
    row = billing_rules()
    form = BillingSettingsForm(request.POST or None, instance=row, may_change=may_change)
    if request.method == "POST" and form.is_valid():
        rules.set_rules(form.values, at=now(), actor=member(request))
        messages.success(request, "Saved. Invoices from now on follow these rules.")
        return redirect("staff:billing-settings")
    context = {"form": form, "may_change": may_change, "history": history_of(row)[:HISTORY]}
    return show(request, "staff/billing_settings.html", title="Billing settings", context=context)


def _at_most(most: int) -> Any:
    def check(value: int) -> None:
        if value > most:
            raise forms.ValidationError(f"At most {most} days.")

    return check
