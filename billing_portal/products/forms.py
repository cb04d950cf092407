"""What a client chooses and answers when ordering a product, and what staff ask for it.

The order pages draw the first two forms, and the order itself is checked by them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from django import forms
from django.forms.boundfield import BoundField

from billing_portal.calc.money import exact, minor_units, round_money
from billing_portal.calc.pricing import ChosenOption
from billing_portal.custom_fields import CustomField, form_field
from billing_portal.products.models import ChoicePrice, Cycle, Option, Price
from billing_portal.products.queries import Cell, OfferedOption, Rate

PriceLabel = Callable[[Rate], str]
"""Writes what something adds to the price; empty for nothing."""


class OptionsForm(forms.Form):
    """One field per option.  The first choice and the least quantity are chosen beforehand."""

    def __init__(
        self,
        *args: Any,
        offered: Sequence[OfferedOption],
        cycle: str,
        price_label: PriceLabel = lambda rate: "",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.offered, self.cycle, self.price_label = offered, cycle, price_label
        for option in offered:
            self.fields[option.key] = _FIELDS[option.kind](self, option)

    def chosen(self) -> tuple[ChosenOption, ...]:
        """The choices of a valid form, at today's prices."""
        return tuple(self._chosen(option) for option in self.offered)

    def initial_choice(self) -> tuple[ChosenOption, ...]:
        """What is chosen in a form nobody touched yet."""
        return tuple(
            _as_chosen(option, self.fields[option.key].initial, self.cycle)
            for option in self.offered
        )

    def _chosen(self, option: OfferedOption) -> ChosenOption:
        return _as_chosen(option, self.cleaned_data[option.key], self.cycle)

    def _choice_field(self, option: OfferedOption, widget: type[forms.Widget]) -> forms.Field:
        labels = [(one.key, self._label(one.name, one.rate(self.cycle))) for one in option.choices]
        return forms.ChoiceField(
            label=option.name,
            choices=labels,
            initial=option.choices[0].key,
            widget=widget,
            error_messages={
                "required": "Please choose one.",
                "invalid_choice": "This is not offered. Please choose one of the list.",
            },
        )

    def _tick_box(self, option: OfferedOption) -> forms.Field:
        label = self._label(option.name, option.unit.rate(self.cycle))
        return forms.BooleanField(label=label, required=False, initial=False)

    def _quantity(self, option: OfferedOption) -> forms.Field:
        sentence = f"Please enter a number from {option.minimum} to {option.maximum}."
        priced = self.price_label(option.unit.rate(self.cycle))
        return forms.IntegerField(
            label=option.name,
            help_text=f"{option.minimum} to {option.maximum}" + (f", {priced} each" * bool(priced)),
            min_value=option.minimum,
            max_value=option.maximum,
            initial=option.minimum,
            error_messages=dict.fromkeys(
                ("required", "invalid", "min_value", "max_value"), sentence
            ),
        )

    def _label(self, name: str, rate: Rate) -> str:
        priced = self.price_label(rate)
        return f"{name} ({priced})" if priced else name


_FIELDS: Mapping[Option.Kind, Callable[[OptionsForm, OfferedOption], forms.Field]] = {
    Option.Kind.DROPDOWN: lambda form, option: form._choice_field(option, forms.Select),
    Option.Kind.RADIO: lambda form, option: form._choice_field(option, forms.RadioSelect),
    Option.Kind.YES_NO: OptionsForm._tick_box,
    Option.Kind.QUANTITY: OptionsForm._quantity,
}


def _as_chosen(option: OfferedOption, value: Any, cycle: str) -> ChosenOption:
    if option.kind == Option.Kind.YES_NO:
        text, units, priced = ("Yes" if value else "No"), int(value), option.unit
    elif option.kind == Option.Kind.QUANTITY:
        text, units, priced = str(value), int(value), option.unit
    else:
        priced = next(one for one in option.choices if one.key == value)
        text, units = priced.name, 1
    rate = priced.rate(cycle)
    return ChosenOption(option.key, option.name, value, text, units, rate.setup_fee, rate.recurring)


class QuestionsForm(forms.Form):
    """The further questions an operator asks; answers come out under their keys."""

    def __init__(self, *args: Any, asked: Iterable[CustomField], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.asked = list(asked)
        for one in self.asked:
            self.fields[one.key] = form_field(one)


MAX_PRICE = Decimal(99_999_999)
"""More than this is a slip of the keyboard, in any currency."""


def check_price(amount: Decimal, currency: str) -> None:
    """Raise ValidationError if `amount` cannot be a catalogue price in `currency`.

    That is less than nothing, more than anything costs, or digits the currency lacks.
    """
    places = minor_units(currency)
    if amount < 0:
        raise forms.ValidationError("A price is 0 or more. Leave it empty if it is not offered.")
    if amount > MAX_PRICE:
        raise forms.ValidationError(f"More than {MAX_PRICE:,} cannot be right.")
    if exact(amount) * 10**places % 1:
        raise forms.ValidationError(f"{currency} has {places} decimal places.")


class PriceMatrix(forms.Form):
    """The prices of one thing: a row per cycle, a column per currency.

    An empty price means that the cycle is not offered; for a choice, that it costs nothing.
    """

    def __init__(
        self,
        *args: Any,
        prices: Iterable[Price | ChoicePrice],
        currencies: Sequence[str],
        cycles: Sequence[str] = tuple(Cycle.values),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.currencies, self.cycles = currencies, cycles
        stored = {(price.currency, price.cycle): price for price in prices}
        for cell in self.cells():
            price = stored.get(cell)
            for part in PARTS:
                initial = getattr(price, part) if price else None
                self.fields[_name(cell, part)] = _price_field(cell, part, initial)

    def cells(self) -> list[Cell]:
        return [(currency, cycle) for cycle in self.cycles for currency in self.currencies]

    def rows(self) -> list[tuple[str, list[tuple[BoundField, BoundField]]]]:
        """Per cycle its name, and per currency the fields of the price and of the set-up."""
        return [
            (
                str(Cycle(cycle).label),
                [
                    (self[_name((currency, cycle), RECURRING)], self[_name((currency, cycle), FEE)])
                    for currency in self.currencies
                ],
            )
            for cycle in self.cycles
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for cell in self.cells():
            fee, recurring = (cleaned.get(_name(cell, part)) for part in (FEE, RECURRING))
            if fee and recurring is None and _name(cell, RECURRING) not in self.errors:
                self.add_error(_name(cell, RECURRING), "Write 0 if only the set-up costs.")
        return cleaned

    def rates(self) -> dict[Cell, Rate | None]:
        """What was entered, for a valid form; None where there is no price."""
        return {cell: self._rate(cell) for cell in self.cells()}

    def _rate(self, cell: Cell) -> Rate | None:
        recurring = self.cleaned_data[_name(cell, RECURRING)]
        if recurring is None:
            return None
        return Rate(self.cleaned_data[_name(cell, FEE)] or Decimal(0), recurring)


RECURRING, FEE = PARTS = ("recurring", "setup_fee")


def _name(cell: Cell, part: str) -> str:
    return "-".join((*cell, part))


def _price_field(cell: Cell, part: str, initial: Decimal | None) -> forms.DecimalField:
    currency, cycle = cell
    what = f"{currency} {'set-up' if part == FEE else 'price'}"
    return forms.DecimalField(
        required=False,
        label=f"{Cycle(cycle).label}, {what}",
        help_text=what,
        initial=None if initial is None else _shown(initial, currency),
        validators=[partial(check_price, currency=currency)],
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        error_messages={"invalid": "Enter an amount, such as 19.90."},
    )


def _shown(amount: Decimal, currency: str) -> Decimal:
    """With the currency's decimals, and with more only if it has more."""
    rounded = round_money(amount, currency)
    return rounded if rounded == amount else amount
