"""How staff enter metered prices: one price, or brackets a line each."""

from decimal import Decimal
from typing import Any

from django import forms

from billing_portal.calc.money import UnknownCurrency, minor_units
from billing_portal.calc.tiers import BadTiers, Scheme, cliffs
from billing_portal.invoices.amounts import format_amount, format_quantity
from billing_portal.products.metering import pricing_of, tiers_as_text, tiers_from_text
from billing_portal.products.models import PriceScheme, UsagePrice


class UsagePriceForm(forms.ModelForm):
    """A metered price; its brackets as text: "1000: 0.020", and the last one "0.010"."""

    brackets = forms.CharField(
        required=False,
        strip=True,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 16, "placeholder": "1000: 0.020\n0.010"}),
        help_text="A line each, the units after the included ones: up to, price. "
        "The last line is the price of all beyond.",
    )

    class Meta:
        model = UsagePrice
        fields = ("currency", "metric", "included", "scheme", "price", "brackets")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.tiers:
            self.initial["brackets"] = tiers_as_text(self.instance.tiers)

    def clean_currency(self) -> str:
        currency = str(self.cleaned_data["currency"]).upper()
        try:
            minor_units(currency)
        except UnknownCurrency as error:
            raise forms.ValidationError(str(error)) from error
        return currency

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        text = cleaned.get("brackets", "")
        if cleaned.get("scheme") == PriceScheme.FLAT:
            if text:
                self.add_error("brackets", "One price for every unit has no brackets.")
            self.instance.tiers = []
            return cleaned
        try:
            self.instance.tiers = tiers_from_text(text)
        except BadTiers as error:
            self.add_error("brackets", str(error))
        return cleaned


def warnings(price: UsagePrice) -> list[str]:
    """Where one more unit would make everything cheaper, a sentence each."""
    if price.scheme != Scheme.VOLUME:
        return []
    return [
        f"{format_quantity(Decimal(top))} units of {price.metric} cost"
        f" {format_amount(Decimal(at_top.numerator) / at_top.denominator, price.currency)},"
        f" one more makes it"
        f" {format_amount(Decimal(after.numerator) / after.denominator, price.currency)}."
        for top, at_top, after in cliffs(pricing_of(price))
    ]
