"""The code lists of EN 16931, as far as our documents need them."""

import re

from billing_portal.calc.tax import TaxCategory
from billing_portal.invoices.einvoice import EInvoice

PIECE = "C62"
UNIT_CODES = {"": PIECE, "GB": "E34", "TB": "E35", "min": "MIN", "h": "HUR", "hours": "HUR"}
"""Source: UN/ECE recommendation 20.  What has no code of its own is counted in pieces."""
REASONS = {
    TaxCategory.EXEMPT: ("", "Exempt from tax"),
    TaxCategory.REVERSE_CHARGE: ("VATEX-EU-AE", "Reverse charge"),
    TaxCategory.INTRA_COMMUNITY: ("VATEX-EU-IC", "Intra-community supply"),
    TaxCategory.EXPORT: ("VATEX-EU-G", "Export outside the EU"),
    TaxCategory.OUTSIDE_SCOPE: ("VATEX-EU-O", "Not subject to VAT"),
}
"""Code and words for why no tax is charged.  Source: the VATEX code list."""
SEPA_TRANSFER, CREDIT_TRANSFER, UNDEFINED_MEANS = "58", "30", "1"
"""Source: UNTDID 4461."""


def payment_means(invoice: EInvoice) -> str:
    """How the seller wants to be paid: into the account it names, if it names one."""
    if not invoice.account.iban:
        return UNDEFINED_MEANS
    is_sepa = invoice.currency == "EUR" and is_iban(invoice.account.iban)
    return SEPA_TRANSFER if is_sepa else CREDIT_TRANSFER


def is_iban(text: str) -> bool:
    """Whether the check digits are right.  Source: ISO 13616, modulo 97."""
    if not re.fullmatch(r"[A-Z]{2}\d\d[A-Z0-9]{10,30}", text):
        return False
    digits = "".join(str(int(letter, 36)) for letter in text[4:] + text[:4])
    return int(digits) % 97 == 1
