"""Forms about services that clients and staff both see."""

from decimal import Decimal
from typing import Any

from django import forms

from billing_portal.calc.money import minor_units

INTEGER_DIGITS = 9


class CapForm(forms.Form):
    """The most the usage of a service may cost per month; empty for no cap."""

    def __init__(self, *args: Any, currency: str, cap: Decimal | None, **options: Any) -> None:
        places = minor_units(currency)
        shown = None if cap is None else f"{cap:.{places}f}"
        super().__init__(*args, **{"initial": {"cap": shown}, **options})
        self.fields["cap"] = forms.DecimalField(
            label="Cap per month",
            required=False,
            min_value=Decimal(1).scaleb(-places),
            max_digits=INTEGER_DIGITS + places,
            decimal_places=places,
            help_text=f"In {currency}, without tax. Empty: no cap.",
        )
