"""A quote on paper, in the manner of an invoice."""

from typing import Any

from billing_portal.invoices import parties, pdf_parts
from billing_portal.invoices.amounts import (
    format_amount,
    format_day,
    format_price,
    format_quantity,
)
from billing_portal.invoices.pdf_page import Paper
from billing_portal.quotes.actions import buyer_of
from billing_portal.quotes.models import Quote


def quote_pdf(quote: Quote) -> bytes:
    """The offer as a PDF.  The same offer by the same seller gives the same bytes."""
    seller = parties.seller()
    paper = Paper(
        title=f"Quote {quote.number}",
        author=seller["name"],
        at=quote.delivered_at or quote.created_at,
        footer=parties.footer(seller),
        reference=quote.number,
        mark="Draft" if quote.stage == Quote.Stage.DRAFT else "",
    )
    paper.add_page()
    pdf_parts.letterhead(paper, "Quote", seller)
    facts = [
        ("Quote number", quote.number),
        ("Date", format_day((quote.delivered_at or quote.created_at).date())),
        ("Valid until", format_day(quote.valid_until)),
    ]
    pdf_parts.parties(paper, _buyer(quote), facts, label="For")
    pdf_parts.remarks(paper, [quote.subject, quote.proposal])
    paper.ln(4)
    _lines(paper, quote)
    rows = pdf_parts.net_and_taxes(quote.net_total, quote.taxes, quote.currency)
    pdf_parts.sums(paper, [*rows, ("Total", format_amount(quote.total, quote.currency), True)])
    deposit = f"{format_quantity(quote.deposit_percent)} % are invoiced when you accept."
    pdf_parts.remarks(paper, [quote.customer_notes, deposit if quote.deposit_percent else ""])
    return paper.finish()


def _buyer(quote: Quote) -> dict[str, Any]:
    return parties.buyer(buyer_of(quote))


def _lines(paper: Paper, quote: Quote) -> None:
    rows = [
        [
            str(line.position),
            line.description,
            format_quantity(line.quantity),
            format_price(line.unit_price, quote.currency),
            f"{format_quantity(line.discount_percent)} %" if line.discount_percent else "",
            format_amount(line.amount, quote.currency),
        ]
        for line in quote.lines.order_by("position")
    ]
    headings = ["", "Description", "Quantity", "Unit price", "Discount", "Amount"]
    paper.rows(headings, rows, widths=[7.0, 71, 20, 30, 18, 24], align="LLRRRR")
