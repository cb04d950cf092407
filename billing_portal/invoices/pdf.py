"""An invoice on paper: what a bookkeeper files, and what the usage follows from.

Only what the invoice stores is printed, so the paper of last year does not change with a
new address or price.  The same invoice gives the same bytes.
"""

from collections.abc import Sequence
from datetime import timedelta
from importlib.resources import as_file, files

from fpdf import FPDF
from fpdf.enums import TableBordersLayout, TableBorderStyle, TableCellStyle, XPos, YPos
from fpdf.fonts import FontFace

from billing_portal.invoices import evidence, queries
from billing_portal.invoices.amounts import format_amount, format_day
from billing_portal.invoices.evidence import Explanation
from billing_portal.invoices.models import Invoice, InvoiceLine, InvoiceStatus

INK, MUTED, LINE = (16, 24, 40), (93, 102, 120), (207, 212, 221)
MARGIN = 20.0
"""Millimetres, as all lengths here."""
WIDTH = 210 - 2 * MARGIN
FONTS = {"": "Inter-Regular.woff2", "B": "Inter-SemiBold.woff2"}


def invoice_pdf(invoice: Invoice) -> bytes:
    """The invoice as a PDF: the sheet, then one appendix table per usage line."""
    paper = _Paper(invoice)
    lines = list(queries.lines_of(invoice))
    paper.add_page()
    _letterhead(paper, invoice)
    _lines(paper, invoice, lines)
    _totals(paper, invoice)
    _payment(paper, invoice)
    explained = [(line, evidence.explain(line.charge)) for line in lines if line.charge]
    _appendix(paper, [(line, found) for line, found in explained if found])
    return bytes(paper.output())


class _LinesBelow(TableBordersLayout):
    """One thin line below every row, nothing else."""

    def __init__(self) -> None:
        line = TableBorderStyle(thickness=0.2, color=LINE)
        self._style = TableCellStyle(left=False, bottom=line, right=False, top=False)

    def cell_style_getter(self, **position: object) -> TableCellStyle:  # type: ignore[override]
        return self._style


_LINES_BELOW = _LinesBelow()


class _Paper(FPDF):
    """A4 with the seller's footer on every page."""

    def __init__(self, invoice: Invoice) -> None:
        super().__init__(format="A4")
        self.invoice = invoice
        self.set_creation_date(invoice.issued_at)
        self.set_title(f"Invoice {invoice.number}")
        self.set_author(invoice.seller["name"])
        self.set_lang("en")
        self.set_margins(MARGIN, MARGIN)
        self.set_auto_page_break(True, margin=28)
        for style, file in FONTS.items():
            with as_file(files("unfold") / "static/unfold/fonts/inter" / file) as path:
                self.add_font("Inter", style, str(path))
        self.set_draw_color(*LINE)
        self.c_margin = 0
        self.write_as()

    def write_as(self, size: float = 9.5, *, bold: bool = False, muted: bool = False) -> None:
        """Choose the letters for what is written next."""
        self.set_font("Inter", "B" if bold else "", size)
        self.set_text_color(*(MUTED if muted else INK))

    def block(self, text: str, *, width: float = 0, height: float = 5, align: str = "L") -> None:
        """Text of any number of lines, and the pen below it at the same left edge."""
        self.multi_cell(width, height, text, align=align, new_x=XPos.LEFT, new_y=YPos.NEXT)

    def footer(self) -> None:
        self.set_y(-20)
        seller = self.invoice.seller
        who = ", ".join(
            part
            for part in (seller["name"], *seller["address"].splitlines(), seller.get("email", ""))
            if part
        )
        self.write_as(7.5, muted=True)
        self.line(MARGIN, self.get_y() - 2, MARGIN + WIDTH, self.get_y() - 2)
        self.cell(WIDTH - 40, 4, who)
        page = f"{self.invoice.number}, page {self.page_no()} of {{nb}}"
        self.cell(40, 4, page, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _letterhead(paper: _Paper, invoice: Invoice) -> None:
    """Who sells, who buys, which invoice, and until when."""
    paper.write_as(20, bold=True)
    paper.cell(WIDTH / 2, 9, "Invoice")
    top = paper.get_y()
    paper.write_as(9.5, bold=True)
    paper.set_xy(MARGIN + WIDTH / 2, top)
    paper.block(invoice.seller["name"], width=WIDTH / 2, align="R")
    paper.write_as(9, muted=True)
    seller = [invoice.seller["address"], _labelled("Tax id", invoice.seller.get("tax_id", ""))]
    paper.block("\n".join(filter(None, seller)), width=WIDTH / 2, height=4.5, align="R")
    bottom_of_seller = paper.get_y()
    paper.set_xy(MARGIN, max(bottom_of_seller + 8, 58))
    _parties(paper, invoice)


def _parties(paper: _Paper, invoice: Invoice) -> None:
    top, buyer = paper.get_y(), invoice.buyer
    paper.write_as(8, muted=True)
    paper.block("Billed to", width=WIDTH / 2)
    paper.write_as(10.5, bold=True)
    paper.block(buyer["name"], width=WIDTH / 2 - 5)
    paper.write_as()
    rest = [buyer.get("person", ""), buyer["address"], _labelled("Tax id", buyer.get("tax_id", ""))]
    paper.block("\n".join(filter(None, rest)), width=WIDTH / 2 - 5, height=4.8)
    bottom = paper.get_y()
    paper.set_y(top)
    facts = [
        ("Invoice number", invoice.number),
        ("Invoice date", format_day(invoice.issue_date)),
        ("Due date", format_day(invoice.due_date)),
    ]
    if invoice.status == InvoiceStatus.CANCELLED:
        facts.append(("State", "Cancelled"))
    for label, value in facts:
        paper.set_x(MARGIN + WIDTH * 0.58)
        paper.write_as(muted=True)
        paper.cell(WIDTH * 0.2, 5.5, label)
        paper.write_as(bold=True)
        paper.cell(WIDTH * 0.22, 5.5, value, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    paper.set_y(max(bottom, paper.get_y()) + 10)


def _lines(paper: _Paper, invoice: Invoice, lines: Sequence[InvoiceLine]) -> None:
    rows = [
        (
            str(line.position),
            f"{line.description}\n{_period(line)}",
            evidence.quantity_text(line),
            evidence.unit_price_text(line, invoice.currency),
            format_amount(line.amount, invoice.currency),
        )
        for line in lines
    ]
    headings = ("", "Description and period", "Quantity", "Unit price", "Amount")
    _table(paper, headings, rows, widths=(7, 71, 32, 36, 24), align="LLRRR")


def _totals(paper: _Paper, invoice: Invoice) -> None:
    """The sum, what was paid, and what remains; kept together on one page."""
    sums = [("Total", invoice.total, not invoice.paid_amount)]
    if invoice.paid_amount:
        sums += [("Paid", -invoice.paid_amount, False), ("Balance", invoice.balance, True)]
    if paper.will_page_break(10.0 * len(sums)):
        paper.add_page()
    paper.ln(3)
    for label, amount, is_strong in sums:
        paper.set_x(MARGIN + WIDTH * 0.55)
        paper.write_as(13 if is_strong else 9.5, bold=is_strong, muted=not is_strong)
        paper.cell(WIDTH * 0.2, 8 if is_strong else 6, label)
        paper.write_as(13 if is_strong else 9.5, bold=is_strong)
        shown = format_amount(amount, invoice.currency)
        height = 8 if is_strong else 6
        paper.cell(WIDTH * 0.25, height, shown, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _payment(paper: _Paper, invoice: Invoice) -> None:
    """How to pay what is open; a word of thanks if nothing is."""
    if paper.will_page_break(34):
        paper.add_page()
    paper.ln(8)
    if invoice.status == InvoiceStatus.CANCELLED:
        return
    if invoice.status == InvoiceStatus.PAID:
        paper.write_as(muted=True)
        paper.block("This invoice is paid. Thank you.")
        return
    paper.write_as(10.5, bold=True)
    owed = format_amount(invoice.balance, invoice.currency)
    paper.block(f"Please pay {owed} by {format_day(invoice.due_date)}")
    paper.ln(1)
    facts = (
        ("Recipient", invoice.seller["name"]),
        ("Account", invoice.seller.get("bank_account", "")),
        ("Reference", invoice.number),
    )
    for label, value in facts:
        paper.write_as(muted=True)
        paper.cell(24, 5.2, label)
        paper.write_as(bold=label == "Reference")
        paper.multi_cell(WIDTH - 24, 5.2, value, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _appendix(paper: _Paper, explained: Sequence[tuple[InvoiceLine, Explanation]]) -> None:
    """One table per usage line: the segments of a size, or the calls of each kind."""
    if not explained:
        return
    paper.add_page()
    paper.write_as(15, bold=True)
    paper.block(f"Usage billed on {paper.invoice.number}", height=8)
    for line, found in explained:
        if paper.will_page_break(34):
            paper.add_page()
        paper.ln(5)
        paper.write_as(10.5, bold=True)
        paper.block(f"{line.position}. {line.description}")
        paper.write_as(8.5, muted=True)
        for note in found.notes:
            paper.block(note, height=4.5)
        paper.ln(2)
        share = WIDTH / sum(found.widths)
        widths = [width * share for width in found.widths]
        _table(paper, found.headings, found.rows, widths=widths, align=found.align, size=8.5)


def _table(
    paper: _Paper,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    widths: Sequence[float],
    align: str,
    size: float = 9.0,
) -> None:
    """A table with a line below each row; the headings come again on every page."""
    paper.write_as(size)
    with paper.table(
        align="LEFT",
        borders_layout=_LINES_BELOW,
        col_widths=tuple(widths),
        first_row_as_headings=True,
        gutter_height=0,
        headings_style=FontFace(emphasis="", color=MUTED, size_pt=size - 1),
        line_height=size * 0.5,
        padding=(1.6, 1.2, 1.6, 0),
        text_align=tuple({"L": "LEFT", "R": "RIGHT"}[letter] for letter in align),
        v_align="TOP",
        width=sum(widths),
    ) as table:
        for row in (headings, *rows):
            cells = table.row()
            for text in row:
                cells.cell(text)


def _period(line: InvoiceLine) -> str:
    """The days a line is for, both included; one day for what happens once."""
    last = line.period_end - timedelta(days=1)
    if last <= line.period_start:
        return format_day(line.period_start)
    return f"{format_day(line.period_start)} to {format_day(last)}"


def _labelled(label: str, value: str) -> str:
    return f"{label}: {value}" if value else ""
