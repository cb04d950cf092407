"""Reading seller and buyer of an e-invoice out of what a document keeps of them."""

import re
from collections.abc import Mapping
from typing import Any

from django_countries import countries

from billing_portal.invoices import parties
from billing_portal.invoices.einvoice import Party


def party_of(snapshot: Mapping[str, Any], *, outside: bool) -> Party:
    """A document outside the scope of VAT may name no VAT id: it is a tax number there."""
    tax_id = re.sub(r"[\s.\-]", "", snapshot.get("tax_id", "")).upper()
    is_vat_id = _is_vat_id(tax_id) and not outside
    return Party(
        name=snapshot["name"],
        person=snapshot.get("contact") or snapshot.get("person", ""),
        address=parties.address_of(snapshot),
        vat_id=tax_id if is_vat_id else "",
        tax_number="" if is_vat_id else snapshot.get("tax_id", ""),
        registration=snapshot.get("registration_id", ""),
        email=snapshot.get("email", ""),
        phone=snapshot.get("phone", ""),
    )


def _is_vat_id(text: str) -> bool:
    known = text[:2] in countries.countries or text[:2] in ("EL", "XI")
    return known and re.fullmatch(r"[A-Z]{2}[0-9A-Z+*]{2,13}", text) is not None
