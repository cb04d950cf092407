"""An invoice or a credit note on paper: what a bookkeeper files, and what usage follows from.

Only what the document stores is printed, so the paper of last year does not change with a
new address or price.  The same document gives the same bytes.  An issued one carries its
e-invoice, so that a bookkeeper's software can read it (Factur-X).
"""

from collections.abc import Sequence
from decimal import Decimal

from billing_portal.invoices import evidence, parties, pdf_parts, queries
from billing_portal.invoices.amounts import format_amount, format_day, format_quantity
from billing_portal.invoices.einvoice_files import facturx_file
from billing_portal.invoices.einvoice_reading import home_tax, is_void
from billing_portal.invoices.evidence import Explanation
from billing_portal.invoices.models import CreditNote, Invoice, InvoiceLine, InvoiceStatus
from billing_portal.invoices.pdf_page import WIDTH, Paper

STANDINGS = {
    InvoiceStatus.PAID: "This invoice is paid. Thank you.",
    InvoiceStatus.PENDING: "Your payment is under way. Nothing more is to be done.",
    InvoiceStatus.REFUNDED: "What was paid of this invoice was paid back.",
}
"""What is said instead of how to pay."""


def invoice_pdf(invoice: Invoice) -> bytes:
    """The invoice as a PDF: the sheet, then one appendix table per usage line."""
    lines = list(queries.lines_of(invoice))
    reference = invoice.number or "Draft"
    paper = Paper(
        title=f"{_title(invoice)} {invoice.number or ''}".strip(),
        author=invoice.seller["name"],
        at=invoice.issued_at,
        footer=parties.footer(invoice.seller),
        reference=reference,
        mark=_mark(invoice),
    )
    paper.add_page()
    pdf_parts.letterhead(paper, _title(invoice), invoice.seller)
    pdf_parts.parties(paper, invoice.buyer, _facts(invoice))
    pdf_parts.lines(paper, lines, invoice.taxes, invoice.currency)
    pdf_parts.sums(paper, _sums(invoice))
    home = _home_tax(invoice, invoice.exchange_rate)
    pdf_parts.remarks(paper, [invoice.tax_note, home, invoice.notes])
    _payment(paper, invoice)
    explained = [(line, evidence.explain(line.charge)) for line in lines if line.charge]
    _appendix(paper, reference, [(line, found) for line, found in explained if found])
    return paper.finish(einvoice=facturx_file(invoice, lines))


def credit_note_pdf(note: CreditNote) -> bytes:
    """The credit note as a PDF, with the invoice it corrects."""
    lines = list(note.lines.order_by("position"))
    paper = Paper(
        title=f"Credit note {note.number}",
        author=note.seller["name"],
        at=note.issued_at,
        footer=parties.footer(note.seller),
        reference=note.number,
    )
    facts = [
        ("Credit note number", note.number),
        ("Date", format_day(note.issue_date)),
        ("For invoice", note.invoice.number or ""),
        ("Invoice date", format_day(note.invoice.issue_date)),
    ]
    paper.add_page()
    pdf_parts.letterhead(paper, "Credit note", note.seller)
    pdf_parts.parties(paper, note.buyer, facts, label="Credited to")
    pdf_parts.credit_lines(paper, lines, note.taxes, note.currency)
    sums = pdf_parts.net_and_taxes(note.net_total, note.taxes, note.currency)
    pdf_parts.sums(
        paper, [*sums, ("Credit in total", format_amount(note.total, note.currency), True)]
    )
    home = _home_tax(note, note.invoice.exchange_rate)
    pdf_parts.remarks(paper, [f"Reason: {note.reason}", note.tax_note, home, _use_of(note)])
    return paper.finish(einvoice=facturx_file(note))


def _home_tax(document: Invoice | CreditNote, rate: Decimal) -> str:
    """The tax once more in the seller's currency, as tax offices ask for."""
    found = home_tax(document, rate)
    if found is None:
        return ""
    home, amount = found
    units = format_quantity(rate, places=8)
    told = f"Tax in {home}: {format_amount(amount, home)}"
    return f"{told}, at {units} {document.currency} for 1 {home}."


def _mark(invoice: Invoice) -> str:
    """What stands across every page of a paper nobody should take for an invoice."""
    if invoice.status == InvoiceStatus.DRAFT:
        return "Draft"
    if is_void(invoice):
        return "Cancelled"
    return "Proforma" if invoice.is_proforma else ""


def _title(invoice: Invoice) -> str:
    if invoice.status == InvoiceStatus.DRAFT:
        return "Draft invoice"
    return "Proforma invoice" if invoice.is_proforma else "Invoice"


def _facts(invoice: Invoice) -> list[tuple[str, str]]:
    kind = "Proforma" if invoice.is_proforma else "Invoice"
    facts = [
        (f"{kind} number", invoice.number or "none yet"),
        (f"{kind} date", format_day(invoice.issue_date)),
        ("Due date", format_day(invoice.due_date)),
    ]
    if invoice.proforma_number:
        facts.append(("Proforma", invoice.proforma_number))
    if is_void(invoice):
        facts.append(("State", "Cancelled"))
    return facts


def _sums(invoice: Invoice) -> list[pdf_parts.Sum]:
    """What the lines come to, what settled it, and what remains."""
    currency = invoice.currency
    settled = [
        ("Paid", invoice.paid_amount),
        ("Paid from credit", invoice.credit_applied),
        ("Credit notes", invoice.credited_amount),
    ]
    lowered = [
        (label, format_amount(-amount, currency), False) for label, amount in settled if amount
    ]
    total = ("Total", format_amount(invoice.total, currency), not lowered)
    balance = ("Left to pay", format_amount(invoice.balance, currency), True)
    return [
        *pdf_parts.net_and_taxes(invoice.net_total, invoice.taxes, currency),
        total,
        *lowered,
        *([balance] if lowered else []),
    ]


def _payment(paper: Paper, invoice: Invoice) -> None:
    """How to pay what is open; a word of thanks if nothing is."""
    pdf_parts.remarks(paper, [STANDINGS.get(InvoiceStatus(invoice.status), "")])
    if not invoice.is_payable or invoice.balance <= 0:
        return
    owed = format_amount(invoice.balance, invoice.currency)
    facts = [
        ("Recipient", invoice.seller["name"]),
        ("Account", parties.bank_text(invoice.seller)),
        ("Reference", invoice.number or ""),
    ]
    pdf_parts.slip(paper, f"Please pay {owed} by {format_day(invoice.due_date)}", facts)


def _use_of(note: CreditNote) -> str:
    """What the credit did: lowered what was owed, and the rest is the client's."""
    lowered, rest = note.applied_amount, note.total - note.applied_amount
    said = []
    if lowered:
        amount = format_amount(lowered, note.currency)
        said.append(f"{amount} less is owed on {note.invoice.number}.")
    if rest:
        amount = format_amount(rest, note.currency)
        said.append(f"{amount} was paid already and is credited or paid back.")
    return " ".join(said)


def _appendix(
    paper: Paper, reference: str, explained: Sequence[tuple[InvoiceLine, Explanation]]
) -> None:
    """One table per usage line: the segments of a size, or the calls of each kind."""
    if not explained:
        return
    paper.add_page()
    paper.write_as(15, bold=True)
    paper.block(f"Usage billed on {reference}", height=8)
    for line, found in explained:
        paper.keep_together(34)
        paper.ln(5)
        paper.write_as(10.5, bold=True)
        paper.block(f"{line.position}. {line.description}")
        paper.write_as(8.5, muted=True)
        for note in found.notes:
            paper.block(note, height=4.5)
        paper.ln(2)
        share = WIDTH / sum(found.widths)
        widths = [width * share for width in found.widths]
        paper.rows(found.headings, found.rows, widths=widths, align=found.align, size=8.5)
