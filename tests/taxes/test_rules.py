"""Rules that would contradict each other are refused with a sentence."""

from datetime import date
from decimal import Decimal

import pytest

from billing_portal.audit.models import Entry
from billing_portal.taxes import actions
from billing_portal.taxes.actions import RuleRefused
from billing_portal.taxes.models import TaxRule
from billing_portal.taxes.rates import CANADA, EU, PRESETS
from tests.factories import AT, make_user
from tests.taxes.rows import make_tax_rule
from tests.threads import at_once, failures

pytestmark = pytest.mark.django_db


def rule(**fields) -> TaxRule:
    return TaxRule(**{"name": "VAT", "country": "DE", "percent": Decimal(19)} | fields)


def save(**fields) -> TaxRule:
    return actions.save_rule(rule(**fields), actor=None, at=AT)


def refusal(**fields) -> str:
    with pytest.raises(RuleRefused) as refused:
        save(**fields)
    return str(refused.value)


def test_a_saved_rule_leaves_a_line_of_history():
    boss = make_user(name="Bo Boss")

    saved = actions.save_rule(rule(), actor=boss, at=AT)
    saved.percent = Decimal("19.5")
    actions.save_rule(saved, actor=boss, at=AT)
    actions.remove_rule(saved, actor=boss, at=AT)

    told = list(Entry.objects.order_by("pk").values_list("actor_name", "summary"))
    assert told == [
        ("Bo Boss", "Tax rule VAT 19 % DE added"),
        ("Bo Boss", "Tax rule VAT 19.5 % DE changed"),
        ("Bo Boss", "Tax rule VAT 19.5 % DE removed"),
    ]
    assert not TaxRule.objects.exists()


@pytest.mark.parametrize(
    ("starts_on", "ends_on"),
    [
        (None, None),
        (None, date(2026, 1, 2)),
        (date(2026, 12, 30), None),
        (date(2026, 6, 1), date(2026, 7, 1)),
    ],
)
def test_two_rules_of_a_place_and_level_share_no_day(starts_on, ends_on):
    save(starts_on=date(2026, 1, 1), ends_on=date(2026, 12, 31))

    said = refusal(starts_on=starts_on, ends_on=ends_on)

    assert said == (
        "“VAT 19 % DE” is the first tax of that place on some of these days already. "
        "End it before this one begins, or change it instead."
    )
    assert TaxRule.objects.count() == 1


def test_one_rule_may_begin_on_the_day_the_other_ends():
    save(ends_on=date(2026, 1, 1))
    save(starts_on=date(2026, 1, 1))

    assert TaxRule.objects.count() == 2


def test_other_places_and_levels_are_no_overlap():
    save()
    save(country="FR")
    save(country="")
    save(level=2)
    save(country="US", state="California")

    said = refusal(country="US", state="ca")

    assert said.startswith("“VAT 19 % US California” is the first tax of that place")


def test_a_rule_may_be_saved_again():
    saved = save()

    assert actions.save_rule(saved, actor=None, at=AT) == saved


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"percent": Decimal("-0.01")}, "Ensure this value is greater than or equal to 0."),
        ({"percent": Decimal("100.01")}, "Ensure this value is less than or equal to 100."),
        ({"country": "", "state": "Ohio"}, "Choose the country this state belongs to."),
        ({"compound": True}, "Only a second tax can be on top of the first."),
        (
            {"starts_on": date(2026, 1, 1), "ends_on": date(2026, 1, 1)},
            "The first day without it comes after the start.",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(fields, sentence):
    assert sentence in refusal(**fields)
    assert not TaxRule.objects.exists()


def test_a_country_nobody_knows_is_refused():
    assert "XX" in refusal(country="XX")


def test_a_preset_is_loaded_once_and_keeps_what_is_there():
    make_tax_rule("MwSt", "19", country="DE")

    first = actions.load_rates(PRESETS["eu"], actor=None, at=AT)
    second = actions.load_rates(PRESETS["eu"], actor=None, at=AT)

    assert (len(first.added), [rate.country for rate in first.kept]) == (26, ["DE"])
    assert (second.added, len(second.kept)) == ([], 27)
    assert TaxRule.objects.get(country="DE").name == "MwSt"
    assert TaxRule.objects.get(country="FI").percent == Decimal("25.5")


def test_the_presets_say_what_is_published():
    assert len(EU) == 27
    assert {(r.country, str(r.percent)) for r in EU} >= {
        ("EE", "24"),
        ("HU", "27"),
        ("LU", "17"),
        ("RO", "21"),
        ("SK", "23"),
    }
    assert [(r.name, str(r.percent)) for r in CANADA if r.state == "Quebec"] == [("QST", "9.975")]
    assert [(r.name, str(r.percent)) for r in CANADA if r.state == "Nova Scotia"] == [("HST", "14")]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_the_same_rule_saved_four_times_at_once_is_there_once():
    outcomes = at_once(*[save] * 4)

    assert len(failures(outcomes)) == 3
    assert {type(error) for error in failures(outcomes)} == {RuleRefused}
    assert TaxRule.objects.count() == 1
