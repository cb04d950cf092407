"""A service's add-ons on its page, and choosing a further one."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django import forms

from billing_portal.clientarea.extras import price_words
from billing_portal.clientarea.lights import SERVICE_LIGHTS, Light
from billing_portal.clientarea.offers import PER_CYCLE
from billing_portal.products.models import Cycle
from billing_portal.services import addons
from billing_portal.services.models import Service, ServiceAddon
from billing_portal.services.states import ENDED, ServiceStatus


@dataclass(frozen=True, slots=True)
class AddonRow:
    """One add-on as the service's page lists it."""

    row: ServiceAddon
    light: Light
    per_cycle: str
    next_date: date | None

    @property
    def can_end(self) -> bool:
        return self.row.status not in ENDED and self.row.ends_on is None


def addon_rows(service: Service) -> list[AddonRow]:
    """The add-ons a service has, and those it had, which come last."""
    return [_row(row) for row in addons.addons_of(service)]


def can_add(service: Service) -> bool:
    """Whether there is anything to add to a service as it stands."""
    return service.status == ServiceStatus.ACTIVE and bool(addons.available(service))


class AddonForm(forms.Form):
    """Which add-on, on which cycle, and how many."""

    choice = forms.ChoiceField(
        label="What would you like to add?",
        widget=forms.RadioSelect,
        error_messages={
            "required": "Please choose one.",
            "invalid_choice": "This is not offered. Please choose one of the list.",
        },
    )
    quantity = forms.IntegerField(
        label="How many",
        min_value=1,
        initial=1,
        error_messages=dict.fromkeys(
            ("required", "invalid", "min_value"), "Please enter a number from 1."
        ),
    )

    def __init__(self, *args: Any, service: Service, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What was just ordered is still a choice: the same form may be sent twice.
        offered = addons.offered(service.product, currency=service.currency)
        found = offered if self.is_bound else addons.available(service)
        prices = [price for addon in found for price in addons.prices_of(addon, service.currency)]
        self.descriptions = {
            f"{price.addon_id}:{price.cycle}": price.addon.description for price in prices
        }
        field = self.fields["choice"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            (f"{price.addon_id}:{price.cycle}", f"{price.addon.name} ({price_words(price)})")
            for price in prices
        ]
        if max((addon.maximum_quantity for addon in found), default=1) == 1:
            self.fields["quantity"].widget = forms.HiddenInput()

    @property
    def addon_id(self) -> int:
        return int(self.cleaned_data["choice"].partition(":")[0])

    @property
    def cycle(self) -> str:
        return str(self.cleaned_data["choice"].partition(":")[2])


def _row(row: ServiceAddon) -> AddonRow:
    renews = row.cycle_months and row.recurring_amount and row.status in addons.BILLABLE
    return AddonRow(
        row=row,
        light=SERVICE_LIGHTS[ServiceStatus(row.status)],
        per_cycle=PER_CYCLE[Cycle(row.cycle)],
        next_date=row.billed_until if renews and not row.ends_on else None,
    )
