from decimal import Decimal

import pytest

from pbx.call_rating import Outcome, PriceList, Rater, explain
from pbx.rating import Rate, Tariff

RATES = [
    Rate("1", "United States", Decimal("0.013"), 6),
    Rate("49", "Germany", Decimal("0.012"), 60, 30, Decimal("0.05")),
    Rate("112", "Emergency", Decimal(0), 60),
]


def outcome(**changes):
    call = {
        "direction": "outbound",
        "leg": "a",
        "billsec": 61,
        "hangup_cause": "NORMAL_CLEARING",
        "destination": "4930123456",
    }
    return Rater(PriceList("standard", Tariff(RATES))).rate(**call | changes)


def test_an_answered_outbound_call_costs_what_its_prefix_says():
    assert outcome() == Outcome(
        rating="rated",
        explanation={
            "rule": "prefix",
            "tariff": "standard",
            "rate_per_minute": "0.012",
            "minimum_s": 30,
            "increment_s": 60,
            "connection_fee": "0.05",
        },
        destination_digits="4930123456",
        prefix="49",
        rate_description="Germany",
        billed_s=90,
        amount_micros=68000,
    )


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"direction": "inbound"}, "not_outbound"),
        ({"direction": "local"}, "not_outbound"),
        ({"direction": ""}, "not_outbound"),
        ({"leg": "b"}, "other_leg"),
        ({"billsec": 0}, "not_answered"),
        ({"hangup_cause": "LOSE_RACE"}, "lost_race"),
    ],
)
def test_what_is_no_answered_outbound_first_leg_is_free(changes, rule):
    free = outcome(**changes)

    assert (free.rating, free.amount_micros, free.explanation) == ("free", 0, {"rule": rule})


@pytest.mark.parametrize(
    ("destination", "rule"),
    [
        ("33123456789", "no_prefix"),
        ("*97", "not_a_number"),
        ("anonymous", "not_a_number"),
        ("", "not_a_number"),
        ("115", "short_number"),
        ("49116", "short_number"),
    ],
)
def test_a_number_no_rate_is_for_is_unrated_never_free(destination, rule):
    unrated = outcome(destination=destination)

    assert (unrated.rating, unrated.amount_micros) == ("unrated", None)
    assert unrated.explanation == {"rule": rule, "tariff": "standard"}


def test_a_short_number_is_rated_by_its_own_price_only():
    emergency = outcome(destination="112")

    assert (emergency.rating, emergency.prefix, emergency.amount_micros) == ("rated", "112", 0)


def test_a_plus_and_spaces_do_not_matter():
    assert outcome(destination="+49 (30) 123-456").amount_micros == outcome().amount_micros


def test_without_a_tariff_what_would_cost_is_unrated_and_the_rest_free():
    rater = Rater(None, {"rule": "no_tariff", "tariff": "standard", "currency": "USD"})
    call = {"direction": "outbound", "leg": "a", "hangup_cause": "", "destination": "4930123456"}

    talked, missed = rater.rate(billsec=61, **call), rater.rate(billsec=0, **call)

    assert (talked.rating, missed.rating) == ("unrated", "free")
    assert explain(talked.explanation) == "There is no tariff standard in USD."


def test_every_rule_can_be_said_in_a_sentence():
    assert explain(outcome().explanation) == (
        "Tariff standard: 0.012 a minute, at least 30 s, in steps of 60 s, 0.05 per call."
    )
    assert explain(outcome(destination="115").explanation) == (
        "The tariff standard has no price for exactly this short number."
    )
    assert explain(outcome(leg="b").explanation) == (
        "This is the second leg of a call whose first leg is billed."
    )
