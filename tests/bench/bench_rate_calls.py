"""Rating a million calls against tariffs of 10,000 and 100,000 prefixes, in memory.

Synthetic, always the same: 18 % are not answered, the others last 170 s on average, a few
go where no prefix leads.  A thousand of them are rated a second time by the rule as it is
written down, slowly, and must agree.
"""

import time
from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from math import ceil
from random import Random

from billing_portal.calc.money import round_places
from pbx.rating import Rate, RatedCall, Tariff, rate_call
from tests.bench.measurement import Measurement

CALLS = 1_000_000
CHECKED = 1000
INCREMENTS = ((60, 60), (1, 1), (30, 6), (6, 6), (60, 1))
"""Seconds of the first and of every further increment."""


def measure() -> Iterator[Measurement]:
    for prefixes in (10_000, 100_000):
        rng = Random(prefixes)
        rates = _rates(rng, prefixes)
        calls = _calls(rng, [rate.prefix for rate in rates])

        started = time.perf_counter()
        tariff = Tariff(rates)
        built_s = time.perf_counter() - started

        started = time.perf_counter()
        micros = unrated = 0
        for destination, billsec in calls:
            rated = rate_call(tariff, destination=destination, billsec=billsec)
            if isinstance(rated, RatedCall):
                micros += rated.micros
            else:
                unrated += 1
        seconds = time.perf_counter() - started

        _check(tariff, {rate.prefix: rate for rate in rates}, rng.sample(calls, CHECKED))
        total = Decimal(micros).scaleb(-6)
        note = f"index {built_s:.2f} s, total {total}, {unrated} unrated"
        yield Measurement(f"rate calls, {prefixes} prefixes", CALLS, "calls", seconds, note)


def _rates(rng: Random, count: int) -> list[Rate]:
    prefixes = {str(digit) for digit in range(1, 9)}  # 9 is missing: some calls match nothing
    while len(prefixes) < count:
        length = rng.choice((3, 4, 5, 6, 7, 8, 9))
        prefixes.add(f"{rng.randint(1, 8)}{rng.randrange(10 ** (length - 1)):0{length - 1}d}")
    rates = []
    for prefix in sorted(prefixes):
        first_s, further_s = rng.choice(INCREMENTS)
        rates.append(
            Rate(
                prefix=prefix,
                description=f"Zone {prefix}",
                rate_per_minute=Decimal(rng.randint(10, 9999)).scaleb(-4),
                increment_s=further_s,
                initial_increment_s=first_s,
                connection_fee=Decimal(rng.choice((0, rng.randint(1, 500)))).scaleb(-4),
            )
        )
    return rates


def _calls(rng: Random, prefixes: list[str]) -> list[tuple[str, int]]:
    """Numbers of 11 digits, most of them behind some prefix, and their answered seconds."""
    calls = []
    for _ in range(CALLS):
        prefix = "9" if rng.random() < 0.003 else rng.choice(prefixes)
        rest = 11 - len(prefix)
        billsec = 0 if rng.random() < 0.18 else 1 + int(rng.expovariate(1 / 170))
        calls.append((f"{prefix}{rng.randrange(10**rest):0{rest}d}", billsec))
    return calls


def _check(tariff: Tariff, rates: Mapping[str, Rate], calls: list[tuple[str, int]]) -> None:
    for destination, billsec in calls:
        rated = rate_call(tariff, destination=destination, billsec=billsec)
        cost = rated.amount if isinstance(rated, RatedCall) else None
        assert cost == _slowly(rates, destination, billsec), (destination, billsec, cost)


def _slowly(rates: Mapping[str, Rate], destination: str, billsec: int) -> Decimal | None:
    """The rule word by word, in fractions."""
    fitting = [destination[:n] for n in range(1, 12) if destination[:n] in rates]
    if not fitting:
        return None
    rate = rates[max(fitting, key=len)]
    if billsec == 0:
        return Decimal(0)
    more = max(0, billsec - rate.minimum_s)
    billed_s = rate.minimum_s + ceil(Fraction(more, rate.increment_s)) * rate.increment_s
    cost = Fraction(rate.connection_fee) + Fraction(rate.rate_per_minute) * billed_s / 60
    return round_places(cost, 6)
