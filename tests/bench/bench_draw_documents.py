"""Drawing invoices: the PDF with its e-invoice, and the two kinds of XML alone.

The invoice has a period with a discount, another period and storage with its appendix, at
19 % VAT.  The first PDF of a process unpacks the fonts and is told apart from the others.
"""

import time
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal

from billing_portal.invoices.einvoice_cii import cii_xml
from billing_portal.invoices.einvoice_reading import of_invoice
from billing_portal.invoices.einvoice_ubl import xrechnung_xml
from billing_portal.invoices.models import Invoice
from billing_portal.invoices.pdf import invoice_pdf
from tests.bench.measurement import Measurement
from tests.invoices.documents import VAT_19, advance, discount, issued, make_business, storage

PDFS, FILES = 50, 500
MANY = 100


def measure() -> Iterator[Measurement]:
    client = make_business()
    lines = [advance(client, "29.95", discounts=(discount("3.00"),)), advance(client, "10.00")]
    invoice = issued(client, recurring=lines, charges=[storage(client)], treatment=VAT_19)
    long = issued(
        client,
        recurring=[advance(client, "3.33", period_start=date(2026, 12, 2)) for _ in range(MANY)],
        treatment=VAT_19,
    )
    assert invoice.total == Decimal("54.22"), invoice.total
    yield _measured("the first PDF of a process", 1, "PDF", lambda: invoice_pdf(invoice))
    yield _measured("PDF with e-invoice, 4 lines", PDFS, "PDFs", lambda: invoice_pdf(invoice))
    yield _measured(f"the same, {MANY} lines", PDFS // 5, "PDFs", lambda: invoice_pdf(long))
    yield _measured("CII alone, 4 lines", FILES, "files", lambda: _read(invoice, cii_xml))
    yield _measured(
        "XRechnung alone, 4 lines", FILES, "files", lambda: _read(invoice, xrechnung_xml)
    )


def _read(invoice: Invoice, write: Callable[..., bytes]) -> bytes:
    return write(of_invoice(invoice))


def _measured(name: str, count: int, unit: str, draw: Callable[[], bytes]) -> Measurement:
    started = time.perf_counter()
    for _ in range(count):
        size = len(draw())
    return Measurement(
        name, count, unit, time.perf_counter() - started, f"{size / 1000:.0f} kB each"
    )
