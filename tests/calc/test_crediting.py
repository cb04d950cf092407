"""Crediting lines in part: the tax follows, and in the end everything is taken back exactly."""

from decimal import Decimal
from random import Random

import pytest

from billing_portal.calc.crediting import BilledLine, NotCreditable, Part, part_of, spread, taxes_of
from billing_portal.calc.tax import TaxRate, TaxTreatment, tax_amounts


def D(text):
    return Decimal(text)


def test_the_tax_of_a_part_is_its_proportion():
    assert part_of(BilledLine(D("10.00"), D("1.90")), D("4.00"), "EUR") == Part(
        D("4.00"), D("0.76")
    )


def test_three_thirds_take_back_exactly_the_tax():
    line = BilledLine(D("0.10"), D("0.02"))
    first = part_of(line, D("0.03"), "EUR")
    second = part_of(BilledLine(D("0.10"), D("0.02"), True, D("0.03"), first.tax), D("0.03"), "EUR")
    so_far = first.tax + second.tax
    last = part_of(BilledLine(D("0.10"), D("0.02"), True, D("0.06"), so_far), D("0.04"), "EUR")

    assert [part.tax for part in (first, second, last)] == [D("0.01"), D("0.00"), D("0.01")]


@pytest.mark.parametrize(
    ("amount", "line", "sentence"),
    [
        (
            "10.01",
            BilledLine(D("10.00"), D(0)),
            "Only 10.00 of a line of 10.00 are left to credit.",
        ),
        (
            "5.01",
            BilledLine(D("10.00"), D(0), True, D("5.00")),
            "Only 5.00 of a line of 10.00 are left to credit.",
        ),
        ("-1.00", BilledLine(D("10.00"), D(0)), "nothing like -1.00 can be credited"),
        ("1.00", BilledLine(D("-10.00"), D(0)), "nothing like 1.00 can be credited"),
        ("0.001", BilledLine(D("10.00"), D(0)), "0.001 is finer than the smallest unit of EUR."),
        ("NaN", BilledLine(D("10.00"), D(0)), "NaN is finer than"),
    ],
)
def test_more_than_is_left_is_not_credited(amount, line, sentence):
    with pytest.raises(NotCreditable, match=sentence):
        part_of(line, D(amount), "EUR")


def test_a_sum_is_spread_over_lines_and_their_discount():
    """119.00 gross of 100.00 + 50.00 - 30.00 at 19 % is five sixths of 142.80."""
    lines = [
        BilledLine(D("100.00"), D("19.00")),
        BilledLine(D("50.00"), D("9.50")),
        BilledLine(D("-30.00"), D("-5.70")),
    ]

    parts = spread(D("119.00"), lines, "EUR")

    assert [part.gross for part in parts] == [D("99.17"), D("49.58"), D("-29.75")]
    assert sum(part.gross for part in parts) == D("119.00")


@pytest.mark.parametrize("gross", ["0", "-1.00", "119.01"])
def test_no_more_than_everything_is_spread(gross):
    with pytest.raises(NotCreditable, match=r"Between 0 and 119\.00 can be credited"):
        spread(D(gross), [BilledLine(D("100.00"), D("19.00"))], "EUR")


@pytest.mark.parametrize("seed", range(60))
def test_notes_that_take_back_everything_undo_the_invoice_to_the_cent(seed):
    rng = Random(seed)
    rates = (TaxRate("GST", D("5")), TaxRate("QST", D("9.975"), compound=seed % 2 == 0))
    amounts = [D(rng.randrange(1, 9999)).scaleb(-2) for _ in range(rng.randint(1, 6))]
    amounts.append(-amounts[0].quantize(D("0.01")) // 4)
    taxable = [rng.random() < 0.8 for _ in amounts]
    taxed = tax_amounts(amounts, taxable, TaxTreatment(rates), "CAD")
    lines = [
        BilledLine(net, tax, is_taxed)
        for net, tax, is_taxed in zip(taxed.nets, taxed.taxes, taxable, strict=True)
    ]
    total, rows = D(0), {(row.name, row.category): D(0) for row in taxed.summary}

    while left := sum((line.left_gross for line in lines), D(0)):
        gross = min(left, D(rng.randrange(1, 4000)).scaleb(-2))
        parts = spread(gross, lines, "CAD")
        summary = taxes_of(taxed.summary, lines, parts, "CAD")
        assert sum(part.gross for part in parts) == gross
        assert sum(row.amount for row in summary) == sum(part.tax for part in parts)
        for row in summary:
            rows[row.name, row.category] += row.amount
        lines = [
            BilledLine(
                ln.amount, ln.tax, ln.taxable, ln.credited + pt.amount, ln.credited_tax + pt.tax
            )
            for ln, pt in zip(lines, parts, strict=True)
        ]
        total += gross

    assert total == taxed.total
    assert rows == {(row.name, row.category): row.amount for row in taxed.summary}
