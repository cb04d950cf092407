"""What should be billed, minus what was, is the invoice."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing_portal.calc.invoice import (
    ChargeItem,
    DraftInvoice,
    DraftLine,
    LineKind,
    RecurringItem,
    SetupItem,
    draft_invoice,
)
from billing_portal.calc.periods import Period


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


DECEMBER = RecurringItem(7, "PBX", date(2026, 12, 1), date(2027, 1, 1), Decimal("29.95"))
JANUARY = RecurringItem(7, "PBX", date(2027, 1, 1), date(2027, 2, 1), Decimal("29.95"))
SETUP = SetupItem(7, "Set-up", date(2026, 12, 1), Decimal("10"))
STORAGE = ChargeItem(
    charge_id=31,
    service_id=7,
    description="Storage",
    period=Period(utc(2026, 11, 1), utc(2026, 12, 1)),
    quantity=Decimal("861.111111"),
    unit="GB",
    unit_price=Decimal("10.00"),
    amount=Decimal("8.61"),
)


def lines_of(invoice: DraftInvoice | None) -> list[tuple[int, str, str, str]]:
    assert invoice is not None
    return [
        (line.service_id, line.kind.value, line.period_start.isoformat()[:10], str(line.amount))
        for line in invoice.lines
    ]


def test_a_draft_says_all_that_will_be_printed():
    invoice = draft_invoice(
        currency="EUR",
        setup=[SETUP],
        recurring=[DECEMBER],
        charges=[STORAGE],
        billed=frozenset(),
    )

    assert invoice == DraftInvoice(
        currency="EUR",
        lines=(
            DraftLine(
                service_id=7,
                kind=LineKind.SETUP,
                description="Set-up",
                period_start=date(2026, 12, 1),
                period_end=date(2026, 12, 1),
                quantity=Decimal(1),
                unit="",
                unit_price=Decimal("10.00"),
                amount=Decimal("10.00"),
            ),
            DraftLine(
                service_id=7,
                kind=LineKind.RECURRING,
                description="PBX",
                period_start=date(2026, 12, 1),
                period_end=date(2027, 1, 1),
                quantity=Decimal(1),
                unit="",
                unit_price=Decimal("29.95"),
                amount=Decimal("29.95"),
            ),
            DraftLine(
                service_id=7,
                kind=LineKind.USAGE,
                description="Storage",
                period_start=utc(2026, 11, 1),
                period_end=utc(2026, 12, 1),
                quantity=Decimal("861.111111"),
                unit="GB",
                unit_price=Decimal("10.00"),
                amount=Decimal("8.61"),
                charge_id=31,
            ),
        ),
        net_total=Decimal("48.56"),
        tax_total=Decimal("0.00"),
        total=Decimal("48.56"),
    )
    assert str(invoice.total) == "48.56"
    assert str(invoice.lines[0].amount) == "10.00"


def test_lines_are_ordered_by_service_kind_and_period_then_as_given():
    later = Period(utc(2026, 11, 1, 0, 0, 0, 1), utc(2026, 12, 1))
    invoice = draft_invoice(
        currency="EUR",
        setup=[replace(SETUP, service_id=10), SETUP],
        recurring=[replace(DECEMBER, service_id=10), JANUARY, DECEMBER],
        charges=[
            replace(STORAGE, charge_id=33, service_id=9),
            replace(STORAGE, charge_id=30, amount=Decimal(3), period=later),
            STORAGE,
            # A preview numbers the charges that do not exist yet -1, -2, ...
            replace(STORAGE, charge_id=-1, amount=Decimal(2)),
            replace(STORAGE, charge_id=-2, amount=Decimal(1)),
        ],
        billed=frozenset(),
    )

    assert lines_of(invoice) == [
        (7, "setup", "2026-12-01", "10.00"),
        (7, "recurring", "2026-12-01", "29.95"),
        (7, "recurring", "2027-01-01", "29.95"),
        (7, "usage", "2026-11-01", "8.61"),
        (7, "usage", "2026-11-01", "2.00"),
        (7, "usage", "2026-11-01", "1.00"),
        (7, "usage", "2026-11-01", "3.00"),
        (9, "usage", "2026-11-01", "8.61"),
        (10, "setup", "2026-12-01", "10.00"),
        (10, "recurring", "2026-12-01", "29.95"),
    ]


def test_what_was_billed_is_not_billed_again():
    invoice = draft_invoice(
        currency="EUR",
        setup=[SETUP],
        recurring=[DECEMBER, JANUARY],
        charges=[],
        billed=frozenset(
            {
                (7, None, "setup", date(2026, 12, 1)),
                (7, None, LineKind.RECURRING, date(2026, 12, 1)),
            }
        ),
    )

    assert lines_of(invoice) == [(7, "recurring", "2027-01-01", "29.95")]


@pytest.mark.parametrize(
    "key",
    [
        (8, None, "recurring", date(2026, 12, 1)),
        (7, None, "setup", date(2026, 12, 1)),
        (7, "usage", date(2026, 12, 1)),
        (7, None, "recurring", date(2027, 1, 1)),
    ],
)
def test_only_the_same_service_kind_and_period_counts_as_billed(key):
    invoice = draft_invoice(
        currency="EUR", recurring=[DECEMBER], charges=[], billed=frozenset({key})
    )

    assert lines_of(invoice) == [(7, "recurring", "2026-12-01", "29.95")]


def test_a_late_charge_for_a_billed_period_is_billed():
    invoice = draft_invoice(
        currency="EUR",
        recurring=[],
        charges=[STORAGE],
        billed=frozenset({(7, "usage", date(2026, 11, 1))}),
    )

    assert lines_of(invoice) == [(7, "usage", "2026-11-01", "8.61")]


def test_without_lines_there_is_no_invoice():
    free = replace(DECEMBER, amount=Decimal("0.00"))
    nearly_free = replace(JANUARY, amount=Decimal("0.004"))
    billed = frozenset({(8, None, "recurring", date(2026, 12, 1))})

    assert draft_invoice(currency="EUR", recurring=[], charges=[], billed=billed) is None
    assert (
        draft_invoice(
            currency="EUR",
            setup=[replace(SETUP, amount=Decimal(0))],
            recurring=[free, nearly_free, replace(DECEMBER, service_id=8)],
            charges=[],
            billed=billed,
        )
        is None
    )


def test_a_charge_of_nothing_gets_its_line():
    nothing = replace(STORAGE, amount=Decimal("0.00"))

    invoice = draft_invoice(currency="EUR", recurring=[], charges=[nothing], billed=frozenset())

    assert lines_of(invoice) == [(7, "usage", "2026-11-01", "0.00")]
    assert invoice.total == 0


def test_the_total_is_the_sum_of_rounded_lines():
    thirds = [replace(STORAGE, charge_id=n, amount=Decimal("3.335")) for n in range(3)]

    invoice = draft_invoice(currency="EUR", recurring=[], charges=thirds, billed=frozenset())

    assert str(invoice.total) == "10.02"


def test_amounts_have_the_minor_units_of_the_currency():
    item = replace(DECEMBER, amount=Decimal("1500.5"))

    invoice = draft_invoice(currency="JPY", recurring=[item], charges=[], billed=frozenset())

    assert lines_of(invoice) == [(7, "recurring", "2026-12-01", "1501")]
    assert str(invoice.total) == "1501"


def test_two_items_for_one_period_are_a_mistake():
    with pytest.raises(ValueError, match="Service 7 has 2 recurring items for 2026-12-01"):
        draft_invoice(
            currency="EUR",
            recurring=[DECEMBER, replace(DECEMBER, amount=Decimal(1))],
            charges=[],
            billed=frozenset(),
        )
