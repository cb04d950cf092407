"""Changing the size of a service: the form, the new spec, and what it does to the price.

The form is the module's order form, cut down to what can change afterwards: its numbers.
Everything else (a PBX's name, its domain) stays as it was ordered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from django import forms

from billing_portal.clientarea.offers import meters, monthly_storage, summary
from billing_portal.clientarea.standing import standing_spec
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from billing_portal.workflows import spend_cap
from provisioning import registry
from provisioning.contract import Capability, ModuleError
from provisioning.models import Job

TITLES = {"size_gb": "Change the size", "extensions": "Change the number of extensions"}


@dataclass(frozen=True, slots=True)
class Effect:
    """A change in words and money; amounts are None where the price does not follow the size."""

    before: str
    after: str
    month_before: Decimal | None
    month_after: Decimal | None

    @property
    def changes_price(self) -> bool:
        return self.month_after is not None

    @property
    def difference(self) -> Decimal:
        return (self.month_after or Decimal(0)) - (self.month_before or Decimal(0))


class Resize:
    """One wish to change a service, from the form to the new spec."""

    def __init__(self, service: Service, posted: Mapping[str, Any] | None, *, at: datetime) -> None:
        self.service = service
        self._posted, self._at = posted, at

    @cached_property
    def is_offered(self) -> bool:
        """Whether the service can change now: active, nothing under way, the vendor able."""
        module = registry.modules().get(self.service.product.module_key)
        if module is None or self.service.status != ServiceStatus.ACTIVE:
            return False
        busy = any(job.status in Job.OPEN for job in self.service.jobs.all())
        return Capability.RESIZE in module.capabilities and not busy and bool(self.form.fields)

    @cached_property
    def form(self) -> forms.Form:
        """The numbers of the order form, filled with what stands."""
        product = self.service.product
        kind = registry.module_class(product.module_key).order_form(product.module_settings)
        form = kind(self._posted, initial=self.standing)
        for name, field in list(form.fields.items()):
            if not isinstance(field, forms.IntegerField) or name not in self.service.spec:
                del form.fields[name]
        return form

    @cached_property
    def standing(self) -> dict[str, Any]:
        """What stands now; the vendor may have changed it (autoscaling) since it was wished."""
        return standing_spec(self.service)

    def is_valid(self) -> bool:
        """Whether product and vendor allow it and it is a change; if not, the form says why."""
        if not self.form.is_valid():
            return False
        product = self.service.product
        try:
            registry.module_class(product.module_key).check_spec(
                product.module_settings, self.new_spec
            )
        except ModuleError as error:
            self.form.add_error(None, str(error))
            return False
        if refusal := self._refusal_by_cap():
            self.form.add_error(None, refusal)
            return False
        if self.new_spec == self.standing:
            name = next(iter(self.form.fields))
            self.form.add_error(name, f"It already has {summary(product, self.standing)}.")
            return False
        return True

    @cached_property
    def new_spec(self) -> dict[str, Any]:
        return {**self.service.spec, **self.form.cleaned_data}

    @property
    def answers(self) -> list[tuple[str, Any]]:
        """The fields to send again with the confirmation."""
        return [(name, self.form.cleaned_data[name]) for name in self.form.fields]

    def effect(self, at: datetime) -> Effect:
        product = self.service.product
        return Effect(
            before=summary(product, self.standing),
            after=summary(product, self.new_spec),
            month_before=self._month(self.standing, at),
            month_after=self._month(self.new_spec, at),
        )

    @property
    def title(self) -> str:
        """What the form is for, from its first question."""
        return TITLES.get(next(iter(self.form.fields)), "Change it")

    @property
    def removes(self) -> str:
        """What a smaller number takes away, as a warning; "" if nothing is lost."""
        fewer = self.new_spec.get("extensions", 0) < self.standing.get("extensions", 0)
        if not fewer:
            return ""
        return "The extensions with the highest numbers are removed with their settings."

    @property
    def done_sentence(self) -> str:
        after = summary(self.service.product, self.new_spec)
        return f"Change to {after} requested. It is done within a minute; this page updates itself."

    def _refusal_by_cap(self) -> str:
        after = summary(self.service.product, self.new_spec)
        try:
            spend_cap.check_size(self.service, self.new_spec, at=self._at, change=f"With {after}")
        except spend_cap.CapReached as error:
            return str(error)
        return ""

    def _month(self, spec: Mapping[str, Any], at: datetime) -> Decimal | None:
        return monthly_storage(
            meters(self.service.product, self.service.usage_prices.all()),
            spec,
            currency=self.service.currency,
        )
