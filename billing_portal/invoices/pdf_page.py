"""The frame of every document we print: page, letters, footer, tables.

A quote or a statement uses it as invoices do: make a `Paper`, add a page, write, `finish`.
The file is PDF/A-3B: fonts are embedded, and letters the font lacks become question marks,
because an archived page must not refer to a glyph that is not there.
"""

import atexit
import re
import shutil
import tempfile
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

from fontTools.ttLib import TTFont
from fpdf import FPDF
from fpdf.enums import TableBordersLayout, TableBorderStyle, TableCellStyle, XPos, YPos
from fpdf.fonts import FontFace

from billing_portal.invoices.pdf_metadata import CREATOR, PRODUCER, xmp

INK, MUTED, LINE, FAINT = (16, 24, 40), (93, 102, 120), (207, 212, 221), (234, 236, 240)
MARGIN = 20.0
"""Millimetres, as all lengths here."""
WIDTH = 210 - 2 * MARGIN
FONTS = {"": "Inter-Regular.woff2", "B": "Inter-SemiBold.woff2"}
_SHAPING_TABLES = ("GSUB", "GPOS", "GDEF", "kern", "DSIG", "STAT")


class Paper(FPDF):
    """A4 with the seller's footer on every page.

    `footer` is printed at the foot, `reference` beside the page number.  `mark` stands large
    and faint across every page: "Draft".  The same document gives the same bytes: `at` is
    its date, never now.
    """

    def __init__(
        self, *, title: str, author: str, at: datetime, footer: str, reference: str, mark: str = ""
    ) -> None:
        super().__init__(format="A4", enforce_compliance="PDF/A-3B")
        self._at, self._footer, self._reference, self._mark = at, footer, reference, mark
        self._names = (title, author)
        self.set_creation_date(at)
        self.set_title(title)
        self.set_author(author)
        self.set_creator(CREATOR)
        self.set_producer(PRODUCER)
        self.set_lang("en")
        self.set_margins(MARGIN, MARGIN)
        self.set_auto_page_break(True, margin=28)
        for style, file in FONTS.items():
            self.add_font("Inter", style, str(_plain_font(file)))
        self.set_draw_color(*LINE)
        self.c_margin = 0
        self.write_as()

    def finish(self, *, einvoice: bytes | None = None) -> bytes:
        """The file; with an e-invoice in it, a Factur-X of the profile EN 16931."""
        if einvoice:
            self.embed_file(
                bytes=einvoice,
                basename="factur-x.xml",
                mime_type="text/xml",
                associated_file_relationship="Alternative",
                desc="The same invoice for machines",
                creation_date=self._at,
                modification_date=self._at,
                compress=True,
                checksum=True,
            )
        title, author = self._names
        is_facturx = einvoice is not None
        self.set_xmp_metadata(xmp(title=title, author=author, at=self._at, is_facturx=is_facturx))
        return bytes(self.output())

    def write_as(self, size: float = 9.5, *, bold: bool = False, muted: bool = False) -> None:
        """Choose the letters for what is written next."""
        self.set_font("Inter", "B" if bold else "", size)
        self.set_text_color(*(MUTED if muted else INK))

    def block(self, text: str, *, width: float = 0, height: float = 5, align: str = "L") -> None:
        """Text of any number of lines, and the pen below it at the same left edge."""
        self.multi_cell(width, height, text, align=align, new_x=XPos.LEFT, new_y=YPos.NEXT)

    def fact(
        self, label: str, value: str, *, at_x: float, label_width: float, width: float
    ) -> None:
        """A label and its value, right-aligned, on a row of their own."""
        self.set_x(at_x)
        self.write_as(muted=True)
        self.cell(label_width, 5.5, label)
        self.write_as(bold=True)
        self.multi_cell(
            width - label_width, 5.5, value, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT
        )

    def keep_together(self, height: float) -> None:
        """Begin a new page unless so much still fits on this one."""
        if self.will_page_break(height):
            self.add_page()

    def rows(
        self,
        headings: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        widths: Sequence[float],
        align: str,
        size: float = 9.0,
    ) -> None:
        """A table with a line below each row; the headings come again on every page.

        `align` has L or R per column.
        """
        self.write_as(size)
        with self.table(
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
                for text in row[:-1]:
                    cells.cell(text)
                cells.cell(row[-1], padding=(1.6, 0, 1.6, 0))

    def header(self) -> None:
        """The mark, below everything that is written on the page later."""
        if not self._mark:
            return
        self.set_font("Inter", "B", 84)
        self.set_text_color(*FAINT)
        with self.rotation(45, x=105, y=148):
            self.set_xy(0, 138)
            self.cell(210, 20, self._mark, align="C")
        self.write_as()
        self.set_xy(MARGIN, MARGIN)

    def footer(self) -> None:
        self.set_y(-20)
        self.write_as(7.5, muted=True)
        self.line(MARGIN, self.get_y() - 2, MARGIN + WIDTH, self.get_y() - 2)
        top = self.get_y()
        self.multi_cell(WIDTH - 45, 3.6, self._footer, align="L", max_line_height=3.6)
        self.set_xy(MARGIN + WIDTH - 45, top)
        page = f"{self._reference}, page {self.page_no()} of {{nb}}"
        # The number of pages, known at the end, is narrower than its stand-in.
        spare = self.get_string_width("{nb}") - self.get_string_width("8")
        self.cell(45 + spare, 3.6, page, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def normalize_text(self, text: str) -> str:
        """What is written, with a question mark for each letter the font does not have."""
        known = _letters(FONTS[""])
        if not known.issuperset(text):
            text = "".join(letter if letter in known else "?" for letter in _CONTROLS.sub("", text))
        return super().normalize_text(text)


class _LinesBelow(TableBordersLayout):
    """One thin line below every row, nothing else."""

    def __init__(self) -> None:
        line = TableBorderStyle(thickness=0.2, color=LINE)
        self._style = TableCellStyle(left=False, bottom=line, right=False, top=False)

    def cell_style_getter(self, **position: object) -> TableCellStyle:  # type: ignore[override]
        return self._style


_LINES_BELOW = _LinesBelow()
_CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f\ufe00-\ufe0f]")


@cache
def _plain_font(file: str) -> Path:
    """The font unpacked once per process: unpacking takes a second, drawing a page much less."""
    with as_file(files("unfold") / "static/unfold/fonts/inter" / file) as path:
        font = TTFont(path, recalcTimestamp=False)
    font.flavor = None
    for table in _SHAPING_TABLES:
        if table in font:
            del font[table]
    plain = _font_folder() / f"{Path(file).stem}.ttf"
    font.save(plain)
    return plain


@cache
def _font_folder() -> Path:
    folder = tempfile.mkdtemp(prefix="portal-fonts-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@cache
def _letters(file: str) -> frozenset[str]:
    """Every letter the font has, and the end of a line."""
    with TTFont(_plain_font(file), lazy=True) as font:
        return frozenset([*map(chr, font.getBestCmap()), "\n"])
