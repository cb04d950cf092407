"""Asking for the day's exchange rates: any address that speaks the ECB's daily XML."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from xml.etree import ElementTree

import httpx

from billing_portal.calc.money import round_places
from billing_portal.errors import PortalError

TIMEOUT_S = 20
MAX_BYTES = 1_000_000
PLACES = 8
BASE = "EUR"
"""The feed says how many units of each currency one euro buys.

Source: https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates
"""


class FeedUnavailable(PortalError):
    """The rates could not be fetched or read; yesterday's stay."""


@dataclass(frozen=True, slots=True)
class Feed:
    """Rates of a day: how many units of each currency one euro buys; the euro itself is 1."""

    day: date
    rates: Mapping[str, Decimal]

    def per_unit_of(self, own: str) -> dict[str, Decimal]:
        """How many units of each other currency one unit of `own` buys.

        At 1.08 USD and 0.90 GBP for a euro, a dollar buys 0.92592593 EUR and 0.83333333 GBP.
        Raises FeedUnavailable if the feed does not know `own`.
        """
        if own not in self.rates:
            raise FeedUnavailable(f"The feed of exchange rates does not know {own}.")
        return {
            currency: round_places(Fraction(rate) / Fraction(self.rates[own]), PLACES)
            for currency, rate in self.rates.items()
            if currency != own
        }


def fetch(address: str) -> Feed:
    """The rates as they are published now.  Raises FeedUnavailable."""
    try:
        response = httpx.get(address, timeout=TIMEOUT_S)
    except httpx.HTTPError as error:
        raise FeedUnavailable(f"The feed of exchange rates does not answer: {error}") from error
    if response.status_code != httpx.codes.OK:
        raise FeedUnavailable(f"The feed of exchange rates answers {response.status_code}.")
    return read(response.content)


def read(body: bytes) -> Feed:
    """The feed in a document.  Raises FeedUnavailable for anything else."""
    if len(body) > MAX_BYTES or b"<!DOCTYPE" in body:
        raise FeedUnavailable("The feed of exchange rates is no list of rates.")
    try:
        cubes = [node for node in ElementTree.fromstring(body).iter() if _name(node) == "Cube"]
        days = [date.fromisoformat(node.attrib["time"]) for node in cubes if "time" in node.attrib]
        rates = {
            node.attrib["currency"]: Decimal(node.attrib["rate"])
            for node in cubes
            if "currency" in node.attrib
        }
    except (ElementTree.ParseError, KeyError, ValueError, InvalidOperation) as error:
        raise FeedUnavailable(f"The feed of exchange rates cannot be read: {error}") from error
    if len(days) != 1 or not rates or not all(_is_rate(rate) for rate in rates.values()):
        raise FeedUnavailable("The feed of exchange rates is no list of rates.")
    return Feed(days[0], {BASE: Decimal(1), **rates})


def _name(node: ElementTree.Element) -> str:
    """The tag without its namespace."""
    return node.tag.rpartition("}")[2]


def _is_rate(rate: Decimal) -> bool:
    return rate.is_finite() and rate > 0
