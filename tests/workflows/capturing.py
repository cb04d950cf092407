"""Stored cards, a gateway that keeps books, and reading what became of the tries."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, ClassVar

from billing_portal.clients.models import Client
from billing_portal.payments import methods, registry
from billing_portal.payments.contract import (
    CaptureRequest,
    CaptureResult,
    GatewayUnavailable,
    LeftMethod,
)
from billing_portal.payments.gateways import sandbox_cards
from billing_portal.payments.gateways.sandbox import TestGateway as Sandbox
from billing_portal.payments.models import CaptureAttempt, StoredMethod
from billing_portal.workflows import captures
from tests.factories import AT


class Bookkeeper(Sandbox):
    """The test gateway, noting each request; the first `lost` replies never arrive."""

    asked: ClassVar[list[CaptureRequest]] = []
    lost: ClassVar[int] = 0

    def capture(self, token: Mapping[str, str], request: CaptureRequest) -> CaptureResult:
        Bookkeeper.asked.append(request)
        if Bookkeeper.lost:
            Bookkeeper.lost -= 1
            raise GatewayUnavailable("no reply")
        return super().capture(token, request)

    @classmethod
    def taken(cls) -> dict[str, str]:
        """What moved, by key: a key asked for twice moved once."""
        return {one.request_key: f"{one.amount:.2f}" for one in cls.asked}


def install(settings: Any) -> None:
    """Offer the bookkeeper in place of the test gateway."""
    Bookkeeper.asked, Bookkeeper.lost = [], 0
    settings.PAYMENT_GATEWAYS = ["tests.workflows.capturing.Bookkeeper"]
    registry.gateways.cache_clear()


def store(
    client: Client, card: str = "works", *, key: str = "k", expires_on: date | None = None
) -> StoredMethod:
    left = sandbox_cards.left(f"{card}:2026-01:{key}")
    method = methods.keep(
        client.pk,
        "test",
        LeftMethod(left.token, left.brand, left.last_digits, expires_on or left.expires_on),
        at=AT,
    )
    client.refresh_from_db()
    return method


def ask(at: datetime = AT) -> list[CaptureAttempt]:
    """What the workers would do now."""
    return captures.carry_out_waiting(at=at)


def attempts() -> list[tuple[str, str]]:
    """Day and outcome of each try, the first first."""
    rows = CaptureAttempt.objects.order_by("pk")
    return [(f"{row.attempted_at.astimezone(UTC):%m-%d}", row.outcome) for row in rows]
