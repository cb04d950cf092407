"""The parts of a printed document, from the letterhead down to the payment slip.

Each is written where the pen stands and leaves it below; quotes may use them too.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from fpdf.enums import XPos, YPos

from billing_portal.invoices import evidence
from billing_portal.invoices.amounts import (
    format_amount,
    format_day,
)
from billing_portal.invoices.einvoice_reading import last_day
from billing_portal.invoices.models import CreditNoteLine, InvoiceLine
from billing_portal.invoices.pdf_page import MARGIN, WIDTH, Paper
from billing_portal.invoices.tax_words import Tax, percent_text, tax_rows

Sum = tuple[str, str, bool]
"""Label, amount, and whether it is what the reader looks for."""
HALF = WIDTH / 2


def letterhead(paper: Paper, title: str, seller: Mapping[str, Any]) -> None:
    """What it is, and who sells."""
    paper.write_as(20, bold=True)
    paper.cell(HALF, 9, title)
    top = paper.get_y()
    paper.write_as(9.5, bold=True)
    paper.set_xy(MARGIN + HALF, top)
    paper.block(seller["name"], width=HALF, align="R")
    paper.write_as(9, muted=True)
    below = [
        seller["address"],
        _labelled("Tax id", seller.get("tax_id", "")),
        _labelled("Registered as", seller.get("registration_id", "")),
    ]
    paper.block("\n".join(filter(None, below)), width=HALF, height=4.5, align="R")
    paper.set_xy(MARGIN, max(paper.get_y() + 8, 58))


def parties(
    paper: Paper,
    buyer: Mapping[str, Any],
    facts: Sequence[tuple[str, str]],
    *,
    label: str = "Billed to",
) -> None:
    """Who buys on the left; numbers, dates and the buyer's own references on the right."""
    top = paper.get_y()
    paper.write_as(8, muted=True)
    paper.block(label, width=HALF)
    paper.write_as(10.5, bold=True)
    paper.block(buyer["name"], width=HALF - 5)
    paper.write_as()
    rest = [buyer.get("person", ""), buyer["address"], _labelled("Tax id", buyer.get("tax_id", ""))]
    paper.block("\n".join(filter(None, rest)), width=HALF - 5, height=4.8)
    bottom = paper.get_y()
    paper.set_y(top)
    answers = [(asked, answer) for asked, answer in buyer.get("fields", [])]
    reference = buyer.get("reference", "")
    all_facts = [*facts, *([("Your reference", reference)] if reference else []), *answers]
    for name, value in all_facts:
        paper.fact(name, value, at_x=MARGIN + WIDTH * 0.55, label_width=34, width=WIDTH * 0.45)
    paper.set_y(max(bottom, paper.get_y()) + 10)


def lines(paper: Paper, billed: Sequence[InvoiceLine], taxes: Sequence[Tax], currency: str) -> None:
    """What is billed, each with its period; a column for tax if any is charged."""
    taxed = percent_text(taxes)
    headings = ["", "Description and period", "Quantity", "Unit price", "Amount"]
    widths, align = [7.0, 71.0, 32.0, 36.0, 24.0], "LLRRR"
    rows = [
        [
            str(line.position),
            f"{line.description}\n{period_text(line)}",
            evidence.quantity_text(line),
            evidence.unit_price_text(line, currency),
            format_amount(line.amount, currency),
        ]
        for line in billed
    ]
    if taxed:
        headings.insert(4, "Tax")
        widths, align = [7.0, 61.0, 30.0, 34.0, 14.0, 24.0], "LLRRRR"
        for row, line in zip(rows, billed, strict=True):
            row.insert(4, taxed if line.taxable else "none")
    paper.rows(headings, rows, widths=widths, align=align)


def credit_lines(
    paper: Paper, credited: Sequence[CreditNoteLine], taxes: Sequence[Tax], currency: str
) -> None:
    """By how much each line of the invoice is corrected."""
    taxed = percent_text(taxes)
    rows = [
        [
            str(line.position),
            line.description,
            *([taxed if line.taxable else "none"] if taxed else []),
            format_amount(line.amount, currency),
        ]
        for line in credited
    ]
    if taxed:
        headings, widths, align = ["", "Description", "Tax", "Amount"], [7.0, 115, 18, 30], "LLRR"
    else:
        headings, widths, align = ["", "Description", "Amount"], [7.0, 133, 30], "LLR"
    paper.rows(headings, rows, widths=widths, align=align)


def net_and_taxes(net: Decimal, taxes: Sequence[Tax], currency: str) -> list[Sum]:
    """The net total and each tax with what it was taken of; nothing if none was charged."""
    if not taxes:
        return []
    rows = [(label, amount, False) for label, amount in tax_rows(taxes, currency)]
    return [("Total without tax", format_amount(net, currency), False), *rows]


def sums(paper: Paper, rows: Sequence[Sum]) -> None:
    """The totals, kept together on one page; the strong one larger."""
    paper.keep_together(10.0 * len(rows))
    paper.ln(3)
    for label, amount, is_strong in rows:
        height = 8 if is_strong else 6
        size = 13 if is_strong else 9.5
        paper.set_x(MARGIN + WIDTH * 0.45)
        paper.write_as(size, bold=is_strong, muted=not is_strong)
        paper.cell(WIDTH * 0.33, height, label)
        paper.write_as(size, bold=is_strong)
        paper.cell(WIDTH * 0.22, height, amount, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def remarks(paper: Paper, texts: Sequence[str]) -> None:
    """Notes below the totals, each a paragraph; empty ones are left out."""
    for text in filter(None, (text.strip() for text in texts)):
        paper.ln(4)
        paper.keep_together(12)
        paper.write_as(9)
        paper.block(text, height=4.6)


def slip(paper: Paper, headline: str, facts: Sequence[tuple[str, str]]) -> None:
    """What to pay and into which account; kept together on one page."""
    paper.keep_together(40)
    paper.ln(8)
    paper.write_as(10.5, bold=True)
    paper.block(headline)
    paper.ln(1)
    for label, value in facts:
        if not value:
            continue
        paper.write_as(muted=True)
        paper.cell(24, 5.2, label)
        paper.write_as(bold=label == "Reference")
        paper.multi_cell(WIDTH - 24, 5.2, value, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def period_text(line: InvoiceLine) -> str:
    """The days a line is for, both included; one day for what happens once."""
    first, last = line.period_start, last_day(line)
    return format_day(first) if last == first else f"{format_day(first)} to {format_day(last)}"


def _labelled(label: str, value: str) -> str:
    return f"{label}: {value}" if value else ""
