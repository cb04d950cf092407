"""A document's tax summary in words, for paper and pages alike."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from billing_portal.calc.tax import TaxCategory
from billing_portal.invoices.amounts import format_amount, format_quantity

Tax = Mapping[str, str]
"""One row of a stored tax summary."""
UNTAXED = {
    TaxCategory.ZERO: "Zero rate",
    TaxCategory.EXEMPT: "Without tax",
    TaxCategory.REVERSE_CHARGE: "Reverse charge",
    TaxCategory.INTRA_COMMUNITY: "Intra-community supply",
    TaxCategory.EXPORT: "Export",
    TaxCategory.OUTSIDE_SCOPE: "Not taxed",
}
"""How 0 % is called where the summary has no name for it."""


def tax_rows(taxes: Sequence[Tax], currency: str, *, locale: str = "en") -> list[tuple[str, str]]:
    """Each tax with what it was taken of, and its amount: ("VAT 19 % on €10.00", "€1.90")."""
    return [
        (
            f"{_name(tax, locale)} on"
            f" {format_amount(Decimal(tax['base']), currency, locale=locale)}",
            format_amount(Decimal(tax["amount"]), currency, locale=locale),
        )
        for tax in taxes
    ]


def percent_text(taxes: Sequence[Tax]) -> str:
    """The rates of a taxed line: "19 %", or "5 % + 7 %"; empty if there are none."""
    rates = [Decimal(tax["percent"]) for tax in taxes]
    return " + ".join(f"{format_quantity(rate)} %" for rate in rates if rate)


def _name(tax: Tax, locale: str) -> str:
    percent = Decimal(tax["percent"])
    if percent:
        return f"{tax['name']} {format_quantity(percent, locale=locale)} %"
    return tax["name"] or UNTAXED.get(TaxCategory(tax["category"]), "Without tax")
