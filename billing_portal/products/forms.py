"""What a client chooses and answers when ordering a product.

The order pages draw these forms, and the order itself is checked by them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django import forms

from billing_portal.calc.pricing import ChosenOption
from billing_portal.custom_fields import CustomField, form_field
from billing_portal.products.models import Option
from billing_portal.products.queries import OfferedOption, Rate

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
        for one in asked:
            self.fields[one.key] = form_field(one)
