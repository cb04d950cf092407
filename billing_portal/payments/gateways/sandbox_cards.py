"""The cards of the test gateway: each behaves in a way of its own, for ever.

A reference reads `<card>:<year>-<month>:<key>`; the month is the one in which it was left.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from billing_portal.payments.contract import (
    CaptureRequest,
    CaptureResult,
    EventNotUnderstood,
    LeftMethod,
    Verdict,
)

LONG = 36


@dataclass(frozen=True, slots=True)
class SandboxCard:
    """A card to choose.  It works through the month that lies `months` after the present."""

    key: str
    label: str
    brand: str
    last_digits: str
    verdict: Verdict = Verdict.PAID
    message: str = ""
    months: int = LONG


CARDS = (
    SandboxCard("works", "Works", "Visa", "4242"),
    SandboxCard(
        "soft",
        "Declined for now: not enough money",
        "Visa",
        "9995",
        Verdict.SOFT_DECLINE,
        "Not enough money on the account.",
    ),
    SandboxCard(
        "hard",
        "Declined for good: reported stolen",
        "Visa",
        "0002",
        Verdict.HARD_DECLINE,
        "The card is blocked.",
    ),
    SandboxCard("pending", "Takes days, as a direct debit does", "SEPA", "3003", Verdict.PENDING),
    SandboxCard("expires", "Works, and expires next month", "Mastercard", "4444", months=1),
)
_BY_KEY = {card.key: card for card in CARDS}


def left(reference: str) -> LeftMethod:
    """The method behind a reference.  Raises EventNotUnderstood."""
    card_key, _, rest = reference.partition(":")
    month, _, key = rest.partition(":")
    card = _BY_KEY.get(card_key)
    try:
        year_left, month_left = (int(part) for part in month.split("-"))
        expires_on = _first_after(year_left, month_left, months=card.months if card else 0)
    except ValueError as error:
        raise EventNotUnderstood("The reference has no month.") from error
    if card is None or not key:
        raise EventNotUnderstood(f"No test card was left under {reference!r}.")
    token = {"card": card.key, "id": f"tok_{key}"}
    return LeftMethod(token, card.brand, card.last_digits, expires_on)


def capture(token: Mapping[str, str], request: CaptureRequest) -> CaptureResult:
    """What the card does; the payment's id follows from the request's key."""
    card = _BY_KEY.get(token.get("card", ""))
    if card is None:
        return CaptureResult(Verdict.FAILED, message="The test gateway does not know this card.")
    return CaptureResult(card.verdict, f"cap_{request.request_key}"[:120], card.message)


def _first_after(year: int, month: int, *, months: int) -> date:
    """The first day after the month that lies `months` ahead: 2026-11 and 1 give 1 Jan 2027."""
    passed = year * 12 + (month - 1) + months + 1
    return date(passed // 12, passed % 12 + 1, 1)
