"""What a product module promises, and the values that cross that border.

A module is one product back end (`remote_backups`, `fusionpbx`).  It is constructed for
one server and talks to that server only.  Everything here is a frozen value or a
protocol: no rows, no Django models.  `tests/contract/product_module.py` is this file as
a test suite; every module passes it against its sandbox.

Two rules matter more than all others.  Every call may be repeated: the job runner calls
again after a lost reply, a crash or a time-out.  And what a vendor cannot do is missing
from `capabilities`; it is never faked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from django import forms

from billing_portal.calc.periods import Period
from billing_portal.errors import PortalError


class ModuleError(PortalError):
    """A remote call did not do what was asked."""


class RemoteUnavailable(ModuleError):
    """The other side did not answer, or said "later".  The same call may be repeated.

    `retry_after_s` is the vendor's own wish (a Retry-After header), when it gave one.
    """

    def __init__(self, message: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RemoteRejected(ModuleError):
    """The other side understood and refused.  Repeating will not help; a person must act."""


class CredentialsRejected(RemoteRejected):
    """The other side refused our credentials: nothing on this server can work."""


class RemoteNotFound(ModuleError):
    """The remote object is not there."""


class Capability(StrEnum):
    SUSPEND = "suspend"
    RESIZE = "resize"
    CHANGE_PASSWORD = "change_password"
    CONFIGURE = "configure"
    METERED = "metered"


Spec = Mapping[str, Any]
"""What the service should be, in the module's own words: `{"size_gb": 500}`."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request to a vendor and what came back, for the module log.

    `request` and `response` are text or JSON-like; the log masks secrets in them.
    `status` is None if no answer arrived.
    """

    action: str
    request: Any
    response: Any
    status: int | None
    duration_ms: int


@dataclass(frozen=True, slots=True)
class ServerAccess:
    """Where a server is and how to get in."""

    server_id: int
    base_url: str
    credentials: Mapping[str, str]
    record: Callable[[Exchange], None] = lambda exchange: None


@dataclass(frozen=True, slots=True)
class ServiceRef:
    """Which of the portal's services a call is about.  The remote name is derived from it."""

    service_id: int
    client_id: int
    label: str = ""


@dataclass(frozen=True, slots=True)
class RemoteState:
    """A remote object as the vendor describes it now.

    `spec` uses the same keys as the wished spec, so the two can be compared.
    `credentials` is what the client needs to connect; every value in it is a secret or
    stands beside one, and is stored encrypted.  `details` is everything else worth
    showing (host name, used bytes, registrations), safe to store in plain text.
    """

    remote_id: str
    name: str
    spec: Spec
    suspended: bool = False
    credentials: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One layer of a connection test: what was tried, whether it worked, what was seen."""

    name: str
    ok: bool
    message: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What a service used in one period, priced and explained.

    `metric` names the meter (`storage`, `calls`).  `amount` is rounded once, half up, to
    the currency's minor unit.  `quantity` is for display (6 places at most) in `unit`.
    `evidence` is JSON: the segments or the call totals the amount follows from.
    `through_id` bounds the records behind it, for modules that mark them when charged.
    """

    metric: str
    period: Period
    quantity: Decimal
    unit: str
    unit_price: Decimal | None
    amount: Decimal
    currency: str
    description: str
    evidence: Mapping[str, Any]
    record_count: int = 0
    through_id: int = 0


@dataclass(frozen=True, slots=True)
class ChargedUsage:
    """A usage that became the charge `charge_id`."""

    service_id: int
    usage: Usage
    charge_id: int


@dataclass(frozen=True, slots=True)
class Metric:
    """A meter a module bills by.  `per` units cost the price: 10.00 per 1000 GB and month.

    One that `stands` measures a size, which goes on until it is changed; others count what
    was used.
    """

    key: str
    name: str
    unit: str
    per: int = 1
    stands: bool = False


class ProductModule(Protocol):
    """One vendor, as the portal sees it.

    Every method may raise `RemoteUnavailable` (the runner tries again),
    `RemoteRejected` (a person must act) or `RemoteNotFound`.
    """

    key: ClassVar[str]
    name: ClassVar[str]
    capabilities: ClassVar[frozenset[Capability]]
    metrics: ClassVar[Sequence[Metric]]
    settings_form: ClassVar[type[forms.Form]]
    """Staff fill it in per product; its cleaned data is `Product.module_settings`."""
    server_form: ClassVar[type[forms.Form]]
    """Staff fill it in per server; its cleaned data is the server's credentials."""

    def __init__(self, access: ServerAccess) -> None: ...

    @classmethod
    def order_form(cls, settings: Mapping[str, Any]) -> type[forms.Form]:
        """The questions a client answers when ordering a product with these settings."""

    @classmethod
    def spec_for(cls, settings: Mapping[str, Any], answers: Mapping[str, Any]) -> Spec:
        """The spec a product's settings and the client's cleaned answers add up to."""

    @classmethod
    def check_spec(cls, settings: Mapping[str, Any], spec: Spec) -> None:
        """Raise RemoteRejected with a plain sentence if the vendor or product forbids `spec`."""

    @classmethod
    def summarise(cls, spec: Spec) -> str:
        """The spec in a few words for lines and lists: "500 GB"."""

    @classmethod
    def is_as_wished(cls, wished: Spec, state: RemoteState) -> bool:
        """Whether the remote object is what was wished.

        What the client let the vendor change by itself counts as wished.
        """

    def create(self, ref: ServiceRef, spec: Spec) -> RemoteState:
        """Make the remote object, or adopt the one an earlier attempt left."""

    def describe(self, remote_id: str) -> RemoteState:
        """The remote object as it is now."""

    def resize(self, remote_id: str, spec: Spec) -> RemoteState:
        """Change the remote object to `spec`; sends nothing if it already is."""

    def suspend(self, remote_id: str) -> RemoteState:
        """Switch the object off.  Only called with `Capability.SUSPEND`."""

    def unsuspend(self, remote_id: str) -> RemoteState:
        """Switch it on again as it was."""

    def terminate(self, remote_id: str) -> None:
        """Delete the remote object.  One that is already gone is a success."""

    def change_password(self, remote_id: str) -> RemoteState:
        """Give the object new credentials.  Only with `Capability.CHANGE_PASSWORD`."""

    def list_accounts(self) -> list[RemoteState]:
        """Every remote object on this server, in order of remote id."""

    def test_connection(self) -> list[Check]:
        """Layered checks in order; the first failure ends the list.  Never raises ModuleError."""

    @classmethod
    def observed(cls, server_id: int, service_id: int, state: RemoteState, *, at: datetime) -> None:
        """Note in the module's own rows what a job just saw, in the job's transaction."""

    @classmethod
    def removed(cls, server_id: int, remote_id: str, *, at: datetime) -> None:
        """Note in the module's own rows that a job deleted the object at `at`."""


class Configurable(Protocol):
    """The half of a module whose objects have settings beyond the spec.

    Only with `Capability.CONFIGURE`.  A state's `details` show every setting by its name.
    """

    @classmethod
    def check_changes(cls, changes: Spec) -> None:
        """Raise RemoteRejected with a plain sentence if the vendor forbids `changes`."""

    def configure(self, remote_id: str, changes: Spec) -> RemoteState:
        """Set what `changes` names and leave everything else as it is at that moment.

        A size the vendor changes by itself meanwhile stays changed.
        """


class Filled(Protocol):
    """The half of a module that knows what is in its objects.  Optional: look for it."""

    @classmethod
    def check_change(
        cls, service_id: int, wished: Spec, seen: RemoteState, *, may_remove: bool
    ) -> None:
        """Raise RemoteRejected with a plain sentence if `wished` is less than what is in use.

        `seen` is the vendor's last answer; the module may know more from its own rows.
        `may_remove`: whoever asks agreed that what no longer fits is removed.  Never calls
        the vendor.
        """


class UsageSource(Protocol):
    """The half of a metered module that turns recorded usage into amounts.

    Reads rows the portal already recorded; never calls the vendor.
    """

    @classmethod
    def collect_usage(cls, windows: Mapping[int, Period]) -> dict[int, list[Usage]]:
        """By service id: what each owes for its window, one entry per metric.

        A service that used nothing may be missing.  A few statements for all of them.
        """

    @classmethod
    def usage_charged(cls, charged: Sequence[ChargedUsage]) -> None:
        """Mark the records behind these usages as charged, in the caller's transaction.

        Raises UsageMoved if the records changed since `collect_usage`.
        """

    @classmethod
    def usage_resumed(cls, service_id: int, unbilled: Period, *, at: datetime) -> None:
        """A service that had ended goes on, and `unbilled` lies in windows charged without it.

        What was and will be used of it belongs to the next window that is collected.
        """


class UsageMoved(ModuleError):
    """Records arrived between collecting and charging.  Rolling back and repeating is right."""
