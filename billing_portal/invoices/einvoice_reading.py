"""Reading an e-invoice out of what an invoice or a credit note stores."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from billing_portal.calc.money import exact, minor_units, round_money, round_places
from billing_portal.calc.tax import TaxCategory
from billing_portal.invoices import evidence, parties, queries
from billing_portal.invoices.einvoice import (
    CREDIT_NOTE,
    INVOICE,
    EInvoice,
    Line,
    NoEInvoice,
    TaxRow,
)
from billing_portal.invoices.einvoice_codes import PIECE, REASONS, UNIT_CODES
from billing_portal.invoices.einvoice_parties import party_of
from billing_portal.invoices.models import (
    CreditNote,
    CreditNoteLine,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
)

PRICE_PLACES = 10


def of_invoice(invoice: Invoice, lines: Sequence[InvoiceLine] | None = None) -> EInvoice:
    """The e-invoice of an issued invoice; `lines` are its lines if they are at hand.

    Raises NoEInvoice for a draft, a proforma, a cancelled invoice, or a currency whose
    minor unit EN 16931 does not know.
    """
    if reason := _not_a_document(invoice):
        raise NoEInvoice(reason)
    lines = list(queries.lines_of(invoice)) if lines is None else lines
    taxing = _taxing(invoice.taxes)
    number = invoice.number or ""
    return replace(
        _common(invoice, [_line(line, taxing, invoice.currency) for line in lines]),
        due_date=invoice.due_date,
        terms=f"Payable by {invoice.due_date.isoformat()} under reference {number}.",
        prepaid=invoice.paid_amount + invoice.credit_applied,
        notes=_notes(invoice.tax_note, invoice.notes),
        home_tax=home_tax(invoice, invoice.exchange_rate),
    )


def of_credit_note(note: CreditNote) -> EInvoice:
    """The e-invoice of a credit note, its amounts positive as EN 16931 wants them.

    Raises NoEInvoice if its currency has a minor unit EN 16931 does not know.
    """
    _refuse_currency(note.currency)
    taxing = _taxing(note.taxes)
    rows = note.lines.select_related("line").order_by("position")
    lines = [_credited(row, taxing, note.currency) for row in rows]
    return replace(
        _common(note, lines),
        type_code=CREDIT_NOTE,
        terms=f"Credit on invoice {note.invoice.number}.",
        notes=_notes(note.tax_note, note.reason),
        corrects=(note.invoice.number or "", note.invoice.issue_date),
        home_tax=home_tax(note, note.invoice.exchange_rate),
    )


def home_tax(document: Invoice | CreditNote, rate: Decimal) -> tuple[str, Decimal] | None:
    """The tax in the seller's currency, at `rate` units of the document's for one of it.

    None if that is the document's currency, no rate was stored, or there is no tax.
    """
    home = document.seller.get("currency", "")
    if not home or home == document.currency or rate == 1 or not document.tax_total:
        return None
    return home, round_money(exact(document.tax_total) / exact(rate), home)


def is_void(invoice: Invoice) -> bool:
    """Whether it was cancelled as if never issued; what credit notes took back still stands."""
    return invoice.status == InvoiceStatus.CANCELLED and not invoice.credited_amount


def last_day(line: InvoiceLine) -> date:
    """The last day a line is for; its first one for what happens once."""
    return max(line.period_start, line.period_end - timedelta(days=1))


# --- Building ------------------------------------------------------------------------------

Rate = tuple[TaxCategory, Decimal]


@dataclass(frozen=True, slots=True)
class _Taxing:
    """What taxable lines bear, and what the others are."""

    taxed: Rate
    untaxed: Rate
    amount: Decimal


def _not_a_document(invoice: Invoice) -> str:
    if invoice.status == InvoiceStatus.DRAFT or not invoice.number:
        return "A draft is no e-invoice. Issue it first."
    if invoice.is_proforma:
        return "A proforma is no e-invoice. The invoice follows when it is paid."
    if is_void(invoice):
        return f"{invoice.number} is cancelled, so it is no e-invoice any more."
    _refuse_currency(invoice.currency)
    return ""


def _refuse_currency(currency: str) -> None:
    if minor_units(currency) > 2:
        raise NoEInvoice(f"E-invoices have two decimals at most; {currency} has three.")


def _common(document: Invoice | CreditNote, lines: Sequence[Line]) -> EInvoice:
    """What invoices and credit notes share."""
    taxing = _taxing(document.taxes)
    rows = _tax_rows(lines, taxing, document.tax_note)
    outside = any(row.category == TaxCategory.OUTSIDE_SCOPE for row in rows)
    return EInvoice(
        type_code=INVOICE,
        number=document.number or "",
        issue_date=document.issue_date,
        due_date=None,
        currency=document.currency,
        notes=(),
        buyer_reference=document.buyer.get("reference", ""),
        seller=party_of(document.seller, outside=outside),
        buyer=party_of(document.buyer, outside=outside),
        account=parties.account_of(document.seller),
        terms="",
        lines=tuple(lines),
        taxes=tuple(rows),
        net_total=document.net_total,
        tax_total=document.tax_total,
        total=document.total,
        prepaid=Decimal(0),
    )


def _taxing(rows: Sequence[Mapping[str, str]]) -> _Taxing:
    """The stored summary as EN 16931 can say it: one rate for the taxed lines.

    Two taxes on one line, such as GST and PST, are one rate of both.
    """
    rated = [row for row in rows if Decimal(row["percent"]) or Decimal(row["amount"])]
    others = [row for row in rows if row not in rated]
    amount = sum((Decimal(row["amount"]) for row in rated), Decimal(0))
    if not rated:
        category = TaxCategory(others[0]["category"]) if others else TaxCategory.OUTSIDE_SCOPE
        if category == TaxCategory.STANDARD:
            category = TaxCategory.ZERO
        return _Taxing((category, Decimal(0)), (category, Decimal(0)), Decimal(0))
    percent = Decimal(rated[0]["percent"])
    base = Decimal(rated[0]["base"])
    if len(rated) > 1 and base:
        percent = round_places(100 * exact(amount) / exact(base), 4)
    taxed = (TaxCategory(rated[0]["category"]), percent)
    return _Taxing(taxed, (TaxCategory.EXEMPT, Decimal(0)), amount)


def _rate_of(taxable: bool, taxing: _Taxing) -> Rate:
    return taxing.taxed if taxable else taxing.untaxed


def _tax_rows(lines: Iterable[Line], taxing: _Taxing, note: str) -> list[TaxRow]:
    bases: dict[Rate, Decimal] = {}
    for line in lines:
        rate = (line.category, line.percent)
        bases[rate] = bases.get(rate, Decimal(0)) + line.amount
    return [_tax_row(rate, base, taxing, note) for rate, base in bases.items()]


def _tax_row(rate: Rate, base: Decimal, taxing: _Taxing, note: str) -> TaxRow:
    category, percent = rate
    if category not in REASONS:
        amount = taxing.amount if rate == taxing.taxed else Decimal(0)
        return TaxRow(category, percent, base, amount)
    code, words = REASONS[category]
    explained = note if note and rate == taxing.taxed else words
    return TaxRow(category, percent, base, Decimal(0), code, explained)


def _line(line: InvoiceLine, taxing: _Taxing, currency: str) -> Line:
    rate = _rate_of(line.taxable, taxing)
    if line.unit_price is None and line.unit:
        # Calls each have their own rate: the line is one piece, and its name says how much.
        name = f"{line.description} ({evidence.quantity_text(line)})"
        counted = _whole(line.position, name, line.amount, rate, currency)
    else:
        counted = _counted(line, rate, currency)
    return replace(counted, first_day=line.period_start, last_day=last_day(line))


def _credited(row: CreditNoteLine, taxing: _Taxing, currency: str) -> Line:
    """One piece, for the days of the line it corrects."""
    rate = _rate_of(row.taxable, taxing)
    whole = _whole(row.position, row.description, row.amount, rate, currency)
    if row.line is None:
        return whole
    return replace(whole, first_day=row.line.period_start, last_day=last_day(row.line))


def _counted(line: InvoiceLine, rate: Rate, currency: str) -> Line:
    """Quantity and price as stored, with the minus at the quantity.

    Where they do not make the amount, as with prices that hold tax, the price follows
    from it; where no price does, the line is one piece.
    """
    if not line.quantity:
        return _whole(line.position, line.description, line.amount, rate, currency)
    quantity = abs(line.quantity) if line.amount >= 0 else -abs(line.quantity)
    stored = evidence.stored_price(line, currency)
    if stored and _fits(quantity, abs(stored[0]), stored[1], line.amount, currency):
        price, per = abs(stored[0]), stored[1]
    else:
        price, per = round_places(exact(line.amount) / exact(quantity), PRICE_PLACES), 1
        if not _fits(quantity, price, per, line.amount, currency):
            return _whole(line.position, line.description, line.amount, rate, currency)
    return Line(
        number=line.position,
        name=line.description,
        quantity=quantity,
        unit=UNIT_CODES.get(line.unit, PIECE),
        price=price,
        price_per=per,
        amount=line.amount,
        category=rate[0],
        percent=rate[1],
    )


def _fits(quantity: Decimal, price: Decimal, per: int, amount: Decimal, currency: str) -> bool:
    difference = abs(exact(quantity) * exact(price) / per - exact(amount))
    return difference < Fraction(1, 10 ** minor_units(currency))


def _whole(number: int, name: str, amount: Decimal, rate: Rate, currency: str) -> Line:
    """One piece that costs the amount; minus one piece if that is negative."""
    return Line(
        number=number,
        name=name,
        quantity=Decimal(1 if amount >= 0 else -1),
        unit=PIECE,
        price=round_places(abs(amount), minor_units(currency)),
        price_per=1,
        amount=amount,
        category=rate[0],
        percent=rate[1],
    )


def _notes(*texts: str) -> tuple[str, ...]:
    return tuple(text.strip() for text in texts if text.strip())
