"""An issued document as EN 16931 sees it: one neutral value, whatever it is written in.

`einvoice_reading` builds it from what the document stores; the writers (`einvoice_cii`,
`einvoice_ubl`) only put it into XML.  Prices are never negative: what lowers the total is a
line with a negative quantity.  The totals are the document's own.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from billing_portal.calc.tax import TaxCategory
from billing_portal.errors import PortalError
from billing_portal.invoices.parties import Account, Address

INVOICE, CREDIT_NOTE = "380", "381"
"""Source: UNTDID 1001."""


class NoEInvoice(PortalError):
    """The document cannot be an e-invoice; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Party:
    """Seller or buyer.  `vat_id` begins with a country's code; any other id is `tax_number`."""

    name: str
    person: str
    address: Address
    vat_id: str
    tax_number: str
    registration: str
    email: str
    phone: str = ""

    @property
    def identifier(self) -> str:
        """What a buyer's software knows a seller by who has no VAT id and is in no register."""
        return "" if self.vat_id or self.registration else self.tax_number or self.name


@dataclass(frozen=True, slots=True)
class Line:
    """`price` buys `price_per` units and is without tax; `last_day` is part of the period."""

    number: int
    name: str
    quantity: Decimal
    unit: str
    price: Decimal
    price_per: int
    amount: Decimal
    category: TaxCategory
    percent: Decimal
    first_day: date | None = None
    last_day: date | None = None


@dataclass(frozen=True, slots=True)
class TaxRow:
    """All lines of one category and rate; `base` is the sum of their amounts."""

    category: TaxCategory
    percent: Decimal
    base: Decimal
    amount: Decimal
    reason_code: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EInvoice:
    """`payable` is `total` less `prepaid`: payments and credit, not credit notes.

    `corrects` is number and date of the invoice a credit note is about.  `home_tax` is the
    tax in the seller's own currency, which its tax office wants to read, if that is another.
    """

    type_code: str
    number: str
    issue_date: date
    due_date: date | None
    currency: str
    notes: tuple[str, ...]
    buyer_reference: str
    seller: Party
    buyer: Party
    account: Account
    terms: str
    lines: tuple[Line, ...]
    taxes: tuple[TaxRow, ...]
    net_total: Decimal
    tax_total: Decimal
    total: Decimal
    prepaid: Decimal
    corrects: tuple[str, date] | None = None
    home_tax: tuple[str, Decimal] | None = None

    @property
    def payable(self) -> Decimal:
        return self.total - self.prepaid

    @property
    def is_credit(self) -> bool:
        return self.type_code == CREDIT_NOTE

    @property
    def period(self) -> tuple[date, date] | None:
        """From the first to the last day of any line; None if lines have no periods."""
        days = [(line.first_day, line.last_day) for line in self.lines]
        firsts = [first for first, _ in days if first]
        lasts = [last for _, last in days if last]
        return (min(firsts), max(lasts)) if firsts and lasts else None
