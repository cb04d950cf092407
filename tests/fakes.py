"""A vendor in memory and the modules that talk to it: strict, and able to fail on demand.

The vendor takes what a real one takes: it accepts a name twice, so a second object shows.
`installed` makes the modules known to the portal for one test.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import Any, ClassVar

import pytest
from django import forms

from billing_portal.calc.periods import Period
from provisioning import registry
from provisioning.contract import (
    Capability,
    ChargedUsage,
    Check,
    CredentialsRejected,
    Exchange,
    Metric,
    RemoteNotFound,
    RemoteRejected,
    RemoteState,
    RemoteUnavailable,
    ServerAccess,
    ServiceRef,
    Spec,
    Usage,
    UsageMoved,
)

MAX_SIZE = 10


@dataclass(slots=True)
class Account:
    remote_id: str
    name: str
    size: int
    suspended: bool = False
    password: str = "first-password"


@dataclass(slots=True)
class FakeVendor:
    """The other side.  `calls` holds every call it understood, in order.

    `unavailable`, `lose_replies` and `usage_moves` count down, one per call.
    """

    accounts: dict[str, Account] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    unavailable: int = 0
    retry_after_s: int | None = None
    lose_replies: int = 0
    rejects: str = ""
    refuses_credentials: bool = False
    raises: Exception | None = None
    during_call: Callable[[], None] = lambda: None
    usage: dict[tuple[int, datetime], list[Usage]] = field(default_factory=dict)
    charged: list[tuple[int, str, int]] = field(default_factory=list)
    usage_moves: int = 0
    resumed: list[tuple[int, Period]] = field(default_factory=list)
    observed: list[tuple[int, str]] = field(default_factory=list)
    removed: list[tuple[str, datetime]] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=lambda: count(1))

    def names(self) -> list[str]:
        return [account.name for account in self.accounts.values()]

    def add(self, name: str, *, size: int = 5, **fields: Any) -> Account:
        account = Account(f"acc-{next(self._ids)}", name, size, **fields)
        self.accounts[account.remote_id] = account
        return account

    def owes(
        self,
        service_id: int,
        period: Period,
        amount: str,
        *,
        metric: str = "traffic",
        quantity: str = "1",
        currency: str = "EUR",
    ) -> None:
        """Record usage, priced, for a service and period."""
        usage = Usage(
            metric=metric,
            period=period,
            quantity=Decimal(quantity),
            unit="TB",
            unit_price=Decimal(amount) / Decimal(quantity),
            amount=Decimal(amount),
            currency=currency,
            description=f"{metric.title()} {period.start:%Y-%m-%d}",
            evidence={"quantity": quantity},
        )
        self.usage.setdefault((service_id, period.start), []).append(usage)

    def answer(self, call: str, do: Callable[[], Any]) -> Any:
        """One exchange, with whatever trouble was ordered."""
        self.during_call()
        if self.raises:
            raise self.raises
        if self.unavailable:
            self.unavailable -= 1
            raise RemoteUnavailable("no answer", retry_after_s=self.retry_after_s)
        if self.refuses_credentials:
            raise CredentialsRejected("401: who are you?")
        self.calls.append(call)
        if self.rejects:
            raise RemoteRejected(self.rejects)
        result = do()
        if self.lose_replies:
            self.lose_replies -= 1
            raise RemoteUnavailable("the reply was lost")
        return result


class OrderForm(forms.Form):
    size = forms.IntegerField(min_value=1)


class ServerForm(forms.Form):
    token = forms.CharField()


class PlainModule:
    """Can create, resize and delete, and nothing else.  `spec` is {"size": 5}."""

    key: ClassVar[str] = "plain"
    name: ClassVar[str] = "Plain vendor"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.RESIZE})
    metrics: ClassVar[Sequence[Metric]] = ()
    settings_form: ClassVar[type[forms.Form]] = forms.Form
    server_form: ClassVar[type[forms.Form]] = ServerForm
    vendor: ClassVar[FakeVendor]

    def __init__(self, access: ServerAccess) -> None:
        self.access = access

    @classmethod
    def order_form(cls, settings: Mapping[str, Any]) -> type[forms.Form]:
        return OrderForm

    @classmethod
    def spec_for(cls, settings: Mapping[str, Any], answers: Mapping[str, Any]) -> Spec:
        return {"size": answers["size"]}

    @classmethod
    def check_spec(cls, settings: Mapping[str, Any], spec: Spec) -> None:
        if not isinstance(spec.get("size"), int) or not 1 <= spec["size"] <= MAX_SIZE:
            raise RemoteRejected(f"The size must be from 1 to {MAX_SIZE}.")

    @classmethod
    def summarise(cls, spec: Spec) -> str:
        return f"size {spec.get('size')}"

    @classmethod
    def is_as_wished(cls, wished: Spec, state: RemoteState) -> bool:
        return wished.get("size") == state.spec.get("size")

    def create(self, ref: ServiceRef, spec: Spec) -> RemoteState:
        name = f"fake-service{ref.service_id}"

        def make() -> Account:
            standing = [one for one in self.vendor.accounts.values() if one.name == name]
            return standing[0] if standing else self.vendor.add(name, size=spec["size"])

        return self._ask(f"create {name}", make)

    def describe(self, remote_id: str) -> RemoteState:
        return self._ask(f"describe {remote_id}", lambda: self._account(remote_id))

    def resize(self, remote_id: str, spec: Spec) -> RemoteState:
        return self._change(remote_id, f"resize {remote_id} to {spec['size']}", size=spec["size"])

    def suspend(self, remote_id: str) -> RemoteState:
        raise AssertionError("called without the capability")

    unsuspend = change_password = suspend

    def terminate(self, remote_id: str) -> None:
        assert remote_id, "deleting everything?"
        self.vendor.answer(
            f"terminate {remote_id}", lambda: self.vendor.accounts.pop(remote_id, None)
        )

    def list_accounts(self) -> list[RemoteState]:
        accounts = self.vendor.answer("list", lambda: list(self.vendor.accounts.values()))
        return [_state(account) for account in accounts]

    def test_connection(self) -> list[Check]:
        return [Check("Connection", True, "fine")]

    @classmethod
    def observed(cls, server_id: int, service_id: int, state: RemoteState, *, at: datetime) -> None:
        cls.vendor.observed.append((service_id, state.remote_id))

    @classmethod
    def removed(cls, server_id: int, remote_id: str, *, at: datetime) -> None:
        cls.vendor.removed.append((remote_id, at))

    def _change(self, remote_id: str, call: str, **fields: Any) -> RemoteState:
        def change() -> Account:
            account = self._account(remote_id)
            for name, value in fields.items():
                setattr(account, name, value)
            return account

        return self._ask(call, change)

    def _account(self, remote_id: str) -> Account:
        if remote_id not in self.vendor.accounts:
            raise RemoteNotFound(f"There is no {remote_id}.")
        return self.vendor.accounts[remote_id]

    def _ask(self, call: str, do: Callable[[], Account]) -> RemoteState:
        account = self.vendor.answer(call, do)
        answer = {"name": account.name, "password": account.password}
        self.access.record(Exchange(call, {"token": "server-token"}, answer, 200, 3))
        return _state(account)


class FakeModule(PlainModule):
    """Can everything, and meters."""

    key: ClassVar[str] = "fake"
    name: ClassVar[str] = "Fake vendor"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability)
    metrics: ClassVar[Sequence[Metric]] = (Metric("traffic", "Traffic", "TB"),)

    def suspend(self, remote_id: str) -> RemoteState:
        return self._change(remote_id, f"suspend {remote_id}", suspended=True)

    def unsuspend(self, remote_id: str) -> RemoteState:
        return self._change(remote_id, f"unsuspend {remote_id}", suspended=False)

    def change_password(self, remote_id: str) -> RemoteState:
        return self._change(remote_id, f"change password {remote_id}", password="second-password")

    @classmethod
    def collect_usage(cls, windows: Mapping[int, Period]) -> dict[int, list[Usage]]:
        return {
            service_id: list(cls.vendor.usage.get((service_id, period.start), []))
            for service_id, period in windows.items()
        }

    @classmethod
    def usage_charged(cls, charged: Sequence[ChargedUsage]) -> None:
        if cls.vendor.usage_moves:
            cls.vendor.usage_moves -= 1
            raise UsageMoved("a late record arrived")
        cls.vendor.charged += [(one.service_id, one.usage.metric, one.charge_id) for one in charged]

    @classmethod
    def usage_resumed(cls, service_id: int, unbilled: Period, *, at: datetime) -> None:
        cls.vendor.resumed.append((service_id, unbilled))


def _state(account: Account) -> RemoteState:
    return RemoteState(
        remote_id=account.remote_id,
        name=account.name,
        spec={"size": account.size},
        suspended=account.suspended,
        credentials={"user": account.name, "password": account.password},
        details={"host": "box.example.net"},
    )


@contextmanager
def installed(settings: Any) -> Iterator[FakeVendor]:
    """Both modules known to the portal, and a vendor with nothing in it, for the block."""
    with pytest.MonkeyPatch.context() as patch:
        settings.PORTAL_MODULES = {
            cls.key: f"{cls.__module__}.{cls.__name__}" for cls in (PlainModule, FakeModule)
        }
        patch.setattr(PlainModule, "vendor", FakeVendor(), raising=False)
        registry.modules.cache_clear()
        yield PlainModule.vendor
    registry.modules.cache_clear()
