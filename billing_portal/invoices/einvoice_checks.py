"""What a document lacks before it can be sent as an e-invoice, in sentences for staff.

The schemas and rules themselves are run in the tests; here is only what an operator or a
client may have left out.
"""

from collections.abc import Iterator
from decimal import Decimal

from billing_portal.calc.tax import TaxCategory
from billing_portal.invoices.einvoice import EInvoice, Party

NEEDS_BUYERS_VAT_ID = (TaxCategory.REVERSE_CHARGE, TaxCategory.INTRA_COMMUNITY)
NEEDS_SELLERS_VAT_ID = (*NEEDS_BUYERS_VAT_ID, TaxCategory.EXPORT)
"""A tax number will not do.  Source: BR-AE-02, BR-IC-02 and BR-G-02 of EN 16931."""


def missing(invoice: EInvoice) -> list[str]:
    """What EN 16931 asks for and the document does not have; empty if nothing."""
    return list(_missing(invoice))


def missing_for_xrechnung(invoice: EInvoice) -> list[str]:
    """What German authorities ask for besides; empty if the file can be sent."""
    return [*_missing(invoice), *_missing_for_xrechnung(invoice)]


def _missing(invoice: EInvoice) -> Iterator[str]:
    seller, buyer = invoice.seller, invoice.buyer
    if not seller.address.country:
        yield "The seller's country is unknown: set SELLER_COUNTRY."
    if not buyer.address.country:
        yield "The buyer's country is unknown."
    categories = {row.category for row in invoice.taxes}
    outside = categories <= {TaxCategory.OUTSIDE_SCOPE}
    if not outside and not (seller.vat_id or seller.tax_number):
        yield "The seller has no tax id: set SELLER_TAX_ID."
    if categories.intersection(NEEDS_SELLERS_VAT_ID) and not seller.vat_id:
        yield "Without a VAT id of the seller its tax cannot be left to others: set SELLER_TAX_ID."
    if categories.intersection(NEEDS_BUYERS_VAT_ID) and not buyer.vat_id:
        yield f"{buyer.name} has no VAT id, so no tax can be left to it."
    if sum((line.amount for line in invoice.lines), Decimal(0)) != invoice.net_total:
        yield "The lines do not add up to the net total."
    if sum((row.amount for row in invoice.taxes), Decimal(0)) != invoice.tax_total:
        yield "The taxes do not add up to the tax total."


def _missing_for_xrechnung(invoice: EInvoice) -> Iterator[str]:
    seller, buyer = invoice.seller, invoice.buyer
    if not invoice.buyer_reference:
        yield (
            f"{buyer.name} has no buyer reference (Leitweg-ID). Enter it with the client; it is"
            " printed on documents issued from then on."
        )
    if not seller.phone:
        yield "The seller has no telephone number: set SELLER_PHONE."
    yield from _missing_of_party(seller, "The seller")
    yield from _missing_of_party(buyer, buyer.name)


def _missing_of_party(party: Party, who: str) -> Iterator[str]:
    if not party.email:
        yield f"{who} has no e-mail address."
    if not (party.address.city and party.address.postcode):
        yield f"{who} has no postcode or no city."
