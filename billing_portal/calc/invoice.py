"""What an invoice should say: everything owed, minus everything already invoiced.

Preview, dry run and the real bill run all ask `draft_invoice`.  It holds the decision;
numbers, rows and mail come after it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from .money import exact, round_money, round_places
from .periods import Period
from .tax import NO_TAX, TaxTotal, TaxTreatment, tax_amounts


class LineKind(StrEnum):
    """What a line is for, in the order lines of one service are printed."""

    SETUP = "setup"
    RECURRING = "recurring"
    DISCOUNT = "discount"
    UPGRADE = "upgrade"
    USAGE = "usage"
    ITEM = "item"
    LATE_FEE = "late_fee"


BilledKey = tuple[int, int | None, str, date]
"""(service id, its add-on's id or None, line kind, first day of the period): what may be
invoiced only once."""


@dataclass(frozen=True, slots=True)
class Discount:
    """What is taken off one item; `amount` is positive and no more than the item's."""

    description: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class SetupItem:
    """A one-off fee.  `period_start` is the day the service starts."""

    service_id: int
    description: str
    period_start: date
    amount: Decimal
    addon_id: int | None = None
    taxable: bool = True
    discounts: tuple[Discount, ...] = ()


@dataclass(frozen=True, slots=True)
class RecurringItem:
    """One period of a service or add-on, in advance.  `period_end` is excluded.

    `amount` is for all of `quantity`.  Each discount is a line of its own after the item's.
    """

    service_id: int
    description: str
    period_start: date
    period_end: date
    amount: Decimal
    addon_id: int | None = None
    quantity: int = 1
    taxable: bool = True
    discounts: tuple[Discount, ...] = ()


@dataclass(frozen=True, slots=True)
class ChargeItem:
    """Something already turned into an amount and not yet on an invoice: mostly usage.

    `charge_id` is None for what is made up for this one document, such as a change.
    """

    charge_id: int | None
    service_id: int | None
    description: str
    period: Period
    quantity: Decimal
    unit: str
    unit_price: Decimal | None
    amount: Decimal
    kind: LineKind = LineKind.USAGE
    taxable: bool = True
    waits: bool = False
    """It asks for no invoice by itself; it joins the next one."""


@dataclass(frozen=True, slots=True)
class DraftLine:
    """One line as it would be printed; `amount` is net, in the currency's minor unit.

    `period_start` and `period_end` are days for lines in advance and moments for those of
    charges; the end is excluded.  `charge_id` is set on the latter only.  `tax_amount` is
    the line's part of the document's tax.
    """

    service_id: int | None
    kind: LineKind
    description: str
    period_start: date | datetime
    period_end: date | datetime
    quantity: Decimal
    unit: str
    unit_price: Decimal | None
    amount: Decimal
    charge_id: int | None = None
    addon_id: int | None = None
    taxable: bool = True
    tax_amount: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class DraftInvoice:
    """At least one line, by service, add-on and kind, then period, then as given.

    A discount follows what it is taken off.  `total` is `net_total` and `tax_total`
    together.  Without a `due_date` the seller's term decides.
    """

    currency: str
    lines: tuple[DraftLine, ...]
    net_total: Decimal
    tax_total: Decimal
    total: Decimal
    taxes: tuple[TaxTotal, ...] = ()
    tax_note: str = ""
    due_date: date | None = None
    payment_method: str = ""
    notes: str = ""


def draft_invoice(
    *,
    currency: str,
    recurring: Iterable[RecurringItem],
    charges: Iterable[ChargeItem],
    billed: frozenset[BilledKey],
    setup: Iterable[SetupItem] = (),
    treatment: TaxTreatment = NO_TAX,
    due_date: date | None = None,
    payment_method: str = "",
) -> DraftInvoice | None:
    """The lines that should exist and do not yet, taxed; None if there are none.

    Setup and recurring items whose key is in `billed` are left out, and so are those that
    cost nothing, with their discounts.  `charges` are the open ones: being on an invoice
    closes a charge, so `billed` has no say over them, and one of 0.00 still gets its line,
    which closes it.
    Raises ValueError if two items claim the same service, add-on, kind and period start.
    """
    advance = [
        *(_advance_lines(item, LineKind.SETUP, item.period_start, currency) for item in setup),
        *(
            _advance_lines(item, LineKind.RECURRING, item.period_end, currency)
            for item in recurring
        ),
    ]
    _refuse_duplicates([lines[0] for lines in advance])
    blocks = [lines for lines in advance if lines[0].amount and _key(lines[0]) not in billed]
    blocks += [[_charge_line(item, currency)] for item in charges]
    if not blocks:
        return None
    blocks.sort(key=lambda block: _printing_order(block[0]))
    lines = [line for block in blocks for line in block]
    return _taxed(lines, currency, treatment, due_date=due_date, payment_method=payment_method)


def manual_line(
    description: str,
    *,
    quantity: Decimal,
    unit_price: Decimal,
    currency: str,
    on: date,
    unit: str = "",
    discount_percent: Decimal = Decimal(0),
    service_id: int | None = None,
    taxable: bool = True,
) -> DraftLine:
    """A line somebody typed; `unit_price` is without tax.

    2.5 hours at 80.00 less 10 % are 180.00.
    """
    part = 1 - exact(discount_percent) / 100
    return DraftLine(
        service_id=service_id,
        kind=LineKind.ITEM,
        description=description,
        period_start=on,
        period_end=on + timedelta(days=1),
        quantity=quantity,
        unit=unit,
        unit_price=unit_price,
        amount=round_money(exact(quantity) * exact(unit_price) * part, currency),
        taxable=taxable,
    )


def document_of(
    lines: Sequence[DraftLine],
    *,
    currency: str,
    treatment: TaxTreatment = NO_TAX,
    due_date: date | None = None,
    payment_method: str = "",
) -> DraftInvoice:
    """These very lines in their order, whose amounts are without tax, taxed anew."""
    bare = [replace(line, tax_amount=round_money(0, currency)) for line in lines]
    without = replace(treatment, included=())
    return _taxed(bare, currency, without, due_date=due_date, payment_method=payment_method)


def _taxed(
    lines: Sequence[DraftLine],
    currency: str,
    treatment: TaxTreatment,
    *,
    due_date: date | None,
    payment_method: str,
) -> DraftInvoice:
    taxed = tax_amounts(
        [line.amount for line in lines], [line.taxable for line in lines], treatment, currency
    )
    if treatment != NO_TAX:
        lines = [
            replace(line, amount=net, tax_amount=tax)
            for line, net, tax in zip(lines, taxed.nets, taxed.taxes, strict=True)
        ]
    return DraftInvoice(
        currency=currency,
        lines=tuple(lines),
        net_total=taxed.net_total,
        tax_total=taxed.tax_total,
        total=taxed.total,
        taxes=taxed.summary,
        tax_note=treatment.note,
        due_date=due_date,
        payment_method=payment_method,
    )


def _advance_lines(
    item: SetupItem | RecurringItem, kind: LineKind, period_end: date, currency: str
) -> list[DraftLine]:
    """The item's line, and after it one for each of its discounts."""
    amount = round_money(item.amount, currency)
    quantity = item.quantity if isinstance(item, RecurringItem) else 1
    line = DraftLine(
        service_id=item.service_id,
        kind=kind,
        description=item.description,
        period_start=item.period_start,
        period_end=period_end,
        quantity=Decimal(quantity),
        unit="",
        unit_price=amount if quantity == 1 else round_places(Fraction(amount) / quantity, 6),
        amount=amount,
        addon_id=item.addon_id,
        taxable=item.taxable,
    )
    off = [(one.description, -round_money(one.amount, currency)) for one in item.discounts]
    return [line] + [
        replace(
            line,
            kind=LineKind.DISCOUNT,
            description=text,
            quantity=Decimal(1),
            unit_price=less,
            amount=less,
        )
        for text, less in off
    ]


def _charge_line(item: ChargeItem, currency: str) -> DraftLine:
    return DraftLine(
        service_id=item.service_id,
        kind=item.kind,
        description=item.description,
        period_start=item.period.start,
        period_end=item.period.end,
        quantity=item.quantity,
        unit=item.unit,
        unit_price=item.unit_price,
        amount=round_money(item.amount, currency),
        charge_id=item.charge_id,
        taxable=item.taxable,
    )


def _key(line: DraftLine) -> BilledKey:
    assert line.service_id is not None  # only charges may be of no service
    return line.service_id, line.addon_id, line.kind, line.period_start


def _refuse_duplicates(lines: Sequence[DraftLine]) -> None:
    for (service_id, _, kind, start), times in Counter(map(_key, lines)).items():
        if times > 1:
            raise ValueError(f"Service {service_id} has {times} {kind} items for {start}.")


_KINDS = list(LineKind)
_LAST = 2**63
"""Lines of no service come after those of every service."""


def _printing_order(line: DraftLine) -> tuple[int, int, int, str]:
    # The text of two days sorts by time, and so does that of two moments in UTC.
    return (
        line.service_id or _LAST,
        line.addon_id or 0,
        _KINDS.index(line.kind),
        line.period_start.isoformat(),
    )
