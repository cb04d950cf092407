"""Net, tax and total of a document, whatever the taxes and wherever they are rounded."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_portal.calc.tax import (
    NO_TAX,
    Rounding,
    TaxCategory,
    TaxedAmounts,
    TaxRate,
    TaxTotal,
    TaxTreatment,
    tax_amounts,
)

TWENTY = TaxRate("VAT", Decimal(20))
FIVE = TaxRate("Local tax", Decimal(5))
FIVE_ON_TOP = replace(FIVE, compound=True)


def charging(*rates: TaxRate, **changed) -> TaxTreatment:
    return TaxTreatment(rates=rates, category=TaxCategory.STANDARD, **changed)


def including(*rates: TaxRate, **changed) -> TaxTreatment:
    return charging(*rates, included=rates, **changed)


def taxed(
    treatment: TaxTreatment, *amounts: str, currency: str = "EUR", untaxed=()
) -> TaxedAmounts:
    money = [Decimal(amount) for amount in (*amounts, *untaxed)]
    flags = [True] * len(amounts) + [False] * len(untaxed)
    return tax_amounts(money, flags, treatment, currency)


def texts(amounts) -> list[str]:
    return [str(amount) for amount in amounts]


def rows(found: TaxedAmounts) -> list[tuple[str, str, str, str]]:
    return [(row.name, str(row.category), str(row.base), str(row.amount)) for row in found.summary]


# --- Worked by hand -----------------------------------------------------------------------


def test_two_taxes_are_both_on_the_price():
    found = taxed(charging(TWENTY, FIVE), "100.00")

    assert rows(found) == [
        ("VAT", "S", "100.00", "20.00"),
        ("Local tax", "S", "100.00", "5.00"),
    ]
    assert texts([found.net_total, found.tax_total, found.total]) == ["100.00", "25.00", "125.00"]


def test_a_compound_tax_is_also_on_the_tax_before_it():
    found = taxed(charging(TWENTY, FIVE_ON_TOP), "100.00")

    assert rows(found) == [
        ("VAT", "S", "100.00", "20.00"),
        ("Local tax", "S", "120.00", "6.00"),
    ]
    assert str(found.total) == "126.00"


@pytest.mark.parametrize(
    ("gross", "net", "tax"), [("120.00", "100.00", "20.00"), ("100.00", "83.33", "16.67")]
)
def test_a_price_with_tax_inside_stays_what_the_client_pays(gross, net, tax):
    found = taxed(including(TWENTY), gross)

    assert texts([found.net_total, found.tax_total, found.total]) == [net, tax, gross]
    assert found.summary == (TaxTotal("VAT", Decimal(20), "S", Decimal(net), Decimal(tax)),)


def test_two_taxes_inside_a_price_leave_its_net():
    assert rows(taxed(including(TWENTY, FIVE), "125.00")) == [
        ("VAT", "S", "100.00", "20.00"),
        ("Local tax", "S", "100.00", "5.00"),
    ]
    assert rows(taxed(including(TWENTY, FIVE_ON_TOP), "126.00")) == [
        ("VAT", "S", "100.00", "20.00"),
        ("Local tax", "S", "120.00", "6.00"),
    ]


def test_the_document_is_rounded_once_and_its_cents_are_shared_out():
    """Three times 0.19 at 19 % is 0.1083; each line alone would be 0.04, together 0.12."""
    vat = TaxRate("VAT", Decimal(19))

    whole = taxed(charging(vat), "0.19", "0.19", "0.19")
    lines = taxed(charging(vat, rounding=Rounding.LINE), "0.19", "0.19", "0.19")

    assert (texts(whole.taxes), str(whole.tax_total)) == (["0.04", "0.04", "0.03"], "0.11")
    assert (texts(lines.taxes), str(lines.tax_total)) == (["0.04", "0.04", "0.04"], "0.12")


def test_the_cent_left_over_goes_to_the_line_that_lost_most():
    """19 % of 1.01, 1.02 and 1.03 is 0.1919, 0.1938 and 0.1957: 0.5814 in all."""
    found = taxed(charging(TaxRate("VAT", Decimal(19))), "1.01", "1.02", "1.03")

    assert texts(found.taxes) == ["0.19", "0.19", "0.20"]


def test_a_discount_lowers_the_tax():
    found = taxed(charging(TWENTY), "50.00", "-12.50")

    assert texts(found.taxes) == ["10.00", "-2.50"]
    assert texts([found.net_total, found.tax_total, found.total]) == ["37.50", "7.50", "45.00"]


def test_a_discount_of_everything_leaves_no_cent_of_tax():
    found = taxed(charging(TaxRate("VAT", Decimal(19))), "0.10", "-0.10")

    assert (texts(found.taxes), str(found.total)) == (["0.02", "-0.02"], "0.00")


def test_a_line_without_tax_is_kept_apart():
    found = taxed(charging(TWENTY), "100.00", untaxed=["7.50"])

    assert texts(found.taxes) == ["20.00", "0.00"]
    assert rows(found) == [("VAT", "S", "100.00", "20.00"), ("", "E", "7.50", "0.00")]
    assert str(found.total) == "127.50"


def test_a_document_of_lines_without_tax_has_only_their_row():
    assert rows(taxed(charging(TWENTY), untaxed=["7.50"])) == [("", "E", "7.50", "0.00")]


def test_a_line_without_tax_keeps_its_price_where_prices_include_tax():
    found = taxed(including(TWENTY), "120.00", untaxed=["12.00"])

    assert texts(found.nets) == ["100.00", "12.00"]
    assert str(found.total) == "132.00"


def test_a_client_without_tax_pays_the_net_of_prices_that_include_the_home_tax():
    reverse = TaxTreatment(
        included=(TaxRate("VAT", Decimal(19)),),
        category=TaxCategory.REVERSE_CHARGE,
        note="Reverse charge.",
    )

    found = taxed(reverse, "119.00", "59.50")

    assert texts(found.nets) == ["100.00", "50.00"]
    assert rows(found) == [("", "AE", "150.00", "0.00")]
    assert str(found.total) == "150.00"


def test_another_tax_than_the_one_inside_is_put_on_the_net():
    abroad = charging(TWENTY, included=(TaxRate("VAT", Decimal(19)),))

    found = taxed(abroad, "119.00")

    assert texts([found.net_total, found.tax_total, found.total]) == ["100.00", "20.00", "120.00"]


def test_a_seller_who_charges_no_tax_has_no_tax_summary():
    found = taxed(NO_TAX, "29.95", "8.61")

    assert found == TaxedAmounts(
        nets=(Decimal("29.95"), Decimal("8.61")),
        taxes=(Decimal("0.00"), Decimal("0.00")),
        summary=(),
        net_total=Decimal("38.56"),
        tax_total=Decimal("0.00"),
        total=Decimal("38.56"),
    )


@pytest.mark.parametrize(
    ("currency", "amount", "tax"),
    [("JPY", "1005", "101"), ("EUR", "10.05", "1.01"), ("KWD", "10.005", "1.001")],
)
def test_tax_has_the_decimals_of_the_currency(currency, amount, tax):
    found = taxed(charging(TaxRate("Tax", Decimal(10))), amount, currency=currency)

    assert texts(found.taxes) == [tax]


def test_half_a_cent_is_rounded_away_from_zero():
    tenth = charging(TaxRate("Tax", Decimal(10)), rounding=Rounding.LINE)

    assert texts(taxed(tenth, "0.25", "-0.25").taxes) == ["0.03", "-0.03"]


def test_a_rate_with_four_decimals_is_exact():
    quebec = charging(TaxRate("GST", Decimal(5)), TaxRate("QST", Decimal("9.975")))

    assert rows(taxed(quebec, "100.00")) == [
        ("GST", "S", "100.00", "5.00"),
        ("QST", "S", "100.00", "9.98"),
    ]


def test_a_float_is_refused():
    with pytest.raises(TypeError):
        tax_amounts([0.1], [True], charging(TWENTY), "EUR")  # type: ignore[list-item]


def test_every_line_says_whether_it_is_taxed():
    with pytest.raises(ValueError, match="zip"):
        tax_amounts([Decimal(1), Decimal(2)], [True], charging(TWENTY), "EUR")


# --- Whatever the numbers -----------------------------------------------------------------

percents = st.decimals(0, 100, places=4)
rate = st.builds(TaxRate, st.just("Tax"), percents, st.booleans())
some_rates = st.lists(rate, min_size=1, max_size=2).map(tuple)
rates = some_rates | st.just(())
roundings = st.sampled_from(Rounding)
lines = st.lists(
    st.tuples(st.decimals(-10_000, 10_000, places=2), st.booleans()), min_size=1, max_size=12
)
treatments = st.builds(
    TaxTreatment,
    rates=rates,
    included=rates,
    category=st.just(TaxCategory.STANDARD),
    rounding=roundings,
) | st.builds(lambda both, rounding: including(*both, rounding=rounding), some_rates, roundings)


def of_lines(rows, treatment: TaxTreatment) -> TaxedAmounts:
    amounts, flags = zip(*rows, strict=True)
    return tax_amounts(amounts, flags, treatment, "EUR")


@given(lines, treatments)
def test_an_invoice_always_adds_up(rows, treatment):
    found = of_lines(rows, treatment)

    assert found.net_total == sum(found.nets)
    assert found.tax_total == sum(found.taxes)
    assert found.tax_total == sum(row.amount for row in found.summary)
    assert found.total == found.net_total + found.tax_total
    everything = [found.net_total, found.tax_total, found.total, *found.nets, *found.taxes]
    assert {amount.as_tuple().exponent for amount in everything} == {-2}


@given(lines, some_rates, roundings)
def test_prices_that_include_the_tax_are_what_is_paid(rows, both, rounding):
    found = of_lines(rows, including(*both, rounding=rounding))

    amounts = [amount for amount, _ in rows]
    assert [net + tax for net, tax in zip(found.nets, found.taxes, strict=True)] == amounts
    assert found.total == sum(amounts)


@given(lines, treatments, st.randoms(use_true_random=False))
def test_the_order_of_the_lines_changes_nothing(rows, treatment, rng):
    mixed = rng.sample(rows, k=len(rows))

    first, second = of_lines(rows, treatment), of_lines(mixed, treatment)

    assert replace(first, nets=(), taxes=()) == replace(second, nets=(), taxes=())
    assert sorted(zip(rows, first.nets, first.taxes, strict=True)) == sorted(
        zip(mixed, second.nets, second.taxes, strict=True)
    )


@given(lines, rates, roundings)
def test_no_line_is_two_cents_off_its_exact_tax(rows, both, rounding):
    found = of_lines(rows, charging(*both, rounding=rounding))

    factor = Decimal(0)
    for rate in both:
        factor += (1 + factor if rate.compound else 1) * rate.percent / 100
    for (amount, flag), tax in zip(rows, found.taxes, strict=True):
        assert abs(tax - amount * factor * flag) < Decimal("0.02")


@given(lines, rates)
def test_a_document_rounded_once_is_within_half_a_cent_per_tax(rows, both):
    found = of_lines(rows, charging(*both))

    base = sum(amount for amount, flag in rows if flag)
    if any(flag for _, flag in rows):
        factor = Decimal(0)
        for rate, row in zip(both, found.summary, strict=False):
            mine = (1 + factor if rate.compound else 1) * rate.percent / 100
            factor += mine
            assert abs(row.amount - base * mine) <= Decimal("0.005")
