"""Which calls cost something, and what: the rules before and around `rating.py`.

Each outcome names the rule that fired.  A call nobody can price is unrated, never free.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .numbers import NotANumber, e164_digits
from .rating import Rate, Tariff, Unrated, rate_call

SHORT_NUMBER_DIGITS = 6
"""Numbers up to this long are services (112, 115): only a rate for exactly them counts."""


@dataclass(frozen=True, slots=True)
class PriceList:
    """A tariff ready to look numbers up in, and the slug it is known by."""

    slug: str
    tariff: Tariff


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call costs and by which rule; the fields of `Call` that say so."""

    rating: str
    explanation: Mapping[str, Any]
    destination_digits: str = ""
    prefix: str = ""
    rate_description: str = ""
    billed_s: int = 0
    amount_micros: int | None = None


@dataclass(slots=True)
class Rater:
    """Rates calls by one price list.  Without one, what would cost something is unrated.

    `missing` says why there is none: {"rule": "no_tariff", "tariff": "standard"}.
    """

    prices: PriceList | None
    missing: Mapping[str, Any] = field(default_factory=dict)
    _explained: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def rate(
        self, *, direction: str, leg: str, billsec: int, hangup_cause: str, destination: str
    ) -> Outcome:
        """Only what the caller's leg of an outbound call talked costs something.

        A carrier attempt that lost the race to another one is no call of its own.
        """
        digits = _digits(destination)
        rule = _free_because(direction, leg, billsec, hangup_cause)
        if rule:
            return Outcome("free", {"rule": rule}, destination_digits=digits, amount_micros=0)
        if self.prices is None:
            return Outcome("unrated", self.missing, destination_digits=digits)
        if not digits:
            return self._unrated("not_a_number", digits)
        priced = rate_call(self.prices.tariff, destination=digits, billsec=billsec)
        if isinstance(priced, Unrated):
            return self._unrated("no_prefix", digits)
        if len(digits) <= SHORT_NUMBER_DIGITS and priced.prefix != digits:
            return self._unrated("short_number", digits)
        return Outcome(
            rating="rated",
            explanation=self._explain(priced.rate),
            destination_digits=digits,
            prefix=priced.prefix,
            rate_description=priced.description,
            billed_s=priced.billed_s,
            amount_micros=priced.micros,
        )

    def _unrated(self, rule: str, digits: str) -> Outcome:
        assert self.prices is not None
        explanation = {"rule": rule, "tariff": self.prices.slug}
        return Outcome("unrated", explanation, destination_digits=digits)

    def _explain(self, rate: Rate) -> Mapping[str, Any]:
        """The rate as it was, made once for all calls it prices."""
        if rate.prefix not in self._explained:
            assert self.prices is not None
            self._explained[rate.prefix] = {
                "rule": "prefix",
                "tariff": self.prices.slug,
                "rate_per_minute": f"{rate.rate_per_minute:f}",
                "minimum_s": rate.minimum_s,
                "increment_s": rate.increment_s,
                "connection_fee": f"{rate.connection_fee:f}",
            }
        return self._explained[rate.prefix]


def _free_because(direction: str, leg: str, billsec: int, hangup_cause: str) -> str:
    """The rule that makes a call free, or "" if it is to be paid."""
    if direction != "outbound":
        return "not_outbound"
    if leg != "a":
        return "other_leg"
    if billsec == 0:
        return "not_answered"
    return "lost_race" if hangup_cause == "LOSE_RACE" else ""


def _digits(destination: str) -> str:
    try:
        return e164_digits(destination)
    except NotANumber:
        return ""


SENTENCES = {
    "not_outbound": "Only outbound calls cost something.",
    "other_leg": "This is the second leg of a call whose first leg is billed.",
    "not_answered": "Nobody answered.",
    "lost_race": "Another route answered first, and its call is billed.",
    "no_service": "The tenant belongs to no service of ours.",
    "no_tariff": "There is no tariff {tariff} in {currency}.",
    "not_a_number": "What was dialled is no telephone number.",
    "short_number": "The tariff {tariff} has no price for exactly this short number.",
    "no_prefix": "No prefix of the tariff {tariff} matches this number.",
    "prefix": (
        "Tariff {tariff}: {rate_per_minute} a minute, at least {minimum_s} s,"
        " in steps of {increment_s} s, {connection_fee} per call."
    ),
}


def explain(explanation: Mapping[str, Any]) -> str:
    """The rule that fired, as a sentence."""
    return SENTENCES[explanation["rule"]].format_map(explanation)
