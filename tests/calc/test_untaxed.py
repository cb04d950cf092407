"""A document without tax still says why."""

from decimal import Decimal

from billing_portal.calc.tax import (
    NO_TAX,
    TaxCategory,
    TaxTotal,
    TaxTreatment,
    tax_amounts,
)


def test_reverse_charge_is_a_row_of_zero_per_cent_over_what_is_taxable():
    treatment = TaxTreatment(category=TaxCategory.REVERSE_CHARGE, note="Reverse charge")

    taxed = tax_amounts([Decimal("10.00"), Decimal("5.00")], [True, False], treatment, "EUR")

    assert taxed.summary == (
        TaxTotal("Reverse charge", Decimal(0), "AE", Decimal("10.00"), Decimal("0.00")),
    )
    assert (taxed.net_total, taxed.tax_total) == (Decimal("15.00"), Decimal("0.00"))


def test_a_seller_who_charges_no_tax_has_no_summary():
    assert tax_amounts([Decimal("10.00")], [True], NO_TAX, "EUR").summary == ()
