"""The settings of a service, each group a small form of its own, with what it does to the price.

Filled with what was last seen at the vendor; what a form does not ask about is left alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from backups.forms import ProductSettings
from backups.limits import SIZE_STEP_GB
from backups.models import Datastore
from backups.settings_forms import SETTING_FORMS, SettingForm, flapping
from billing_portal.clientarea.offers import meters, monthly_storage
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from billing_portal.workflows import spend_cap
from provisioning import registry
from provisioning.contract import Capability
from provisioning.models import Job


@dataclass(frozen=True, slots=True)
class Effect:
    """What autoscaling may do to the price of a month; None without an agreed price."""

    size_gb: int | Decimal
    now: Decimal | None
    step_gb: int
    step: Decimal | None
    most_gb: int
    most: Decimal | None


class Configuring:
    """The settings forms of a service; the one that was sent carries its errors."""

    def __init__(
        self,
        service: Service,
        *,
        at: datetime,
        key: str = "",
        posted: Mapping[str, Any] | None = None,
    ) -> None:
        self.service, self.key = service, key
        self._at, self._posted = at, posted

    @cached_property
    def is_offered(self) -> bool:
        """Whether settings can change now: active, seen, nothing under way, the vendor able."""
        key = self.service.product.module_key
        if not key or self.service.status != ServiceStatus.ACTIVE or not self._datastore:
            return False
        busy = any(job.status in Job.OPEN for job in self.service.jobs.all())
        return Capability.CONFIGURE in registry.module_class(key).capabilities and not busy

    @cached_property
    def forms(self) -> dict[str, SettingForm]:
        """Every form by its word; only the sent one is bound."""
        store = self._datastore
        if store is None:
            return {}
        return {
            key: kind(
                self._posted if key == self.key else None,
                standing=store.settings,
                size_gb=store.size_gb,
            )
            for key, kind in SETTING_FORMS.items()
        }

    @property
    def sent(self) -> SettingForm:
        return self.forms[self.key]

    def check_cap(self) -> None:
        """Refuse to let it grow by itself as far as the cap does not pay for.

        Raises CapReached.
        """
        changes = self.sent.changes
        grows = changes.get("autoscaling_enabled") and not self._settings.get("autoscaling_enabled")
        if grows and self.effect:
            largest = self.effect.most_gb
            spend_cap.check_size(
                self.service,
                {spend_cap.SIZE: largest},
                at=self._at,
                change=f"It could grow to {largest} GB, and with that",
            )

    @property
    def keeps_everything(self) -> bool:
        prune = self._settings.get("prune")
        return prune is not None and not any(
            value for name, value in prune.items() if name != "schedule"
        )

    @property
    def warning(self) -> str:
        """What is odd about the thresholds that stand."""
        seen = self._settings
        if not self._datastore or not seen.get("autoscaling_enabled"):
            return ""
        lower, upper = seen["autoscaling_lower_percent"], seen["autoscaling_upper_percent"]
        return flapping(seen, self._datastore.size_gb, lower, upper)

    @cached_property
    def effect(self) -> Effect | None:
        store = self._datastore
        if store is None:
            return None
        limits = ProductSettings.read(self.service.product.module_settings)
        return Effect(
            size_gb=store.size_gb,
            now=self._month(store.size_gb),
            step_gb=SIZE_STEP_GB,
            step=self._month(SIZE_STEP_GB),
            most_gb=limits.max_size_gb,
            most=self._month(limits.max_size_gb),
        )

    @cached_property
    def _datastore(self) -> Datastore | None:
        """The newest one, if it stands; rows come with the service, newest first."""
        newest = next(iter(self.service.datastores.all()), None)
        if newest is None or newest.deleted_at or newest.missing_at:
            return None
        return newest if newest.settings else None

    @property
    def _settings(self) -> Mapping[str, Any]:
        return self._datastore.settings if self._datastore else {}

    def _month(self, size_gb: int | Decimal) -> Decimal | None:
        return monthly_storage(
            meters(self.service.product, self.service.usage_prices.all()),
            {"size_gb": size_gb},
            currency=self.service.currency,
        )
