"""What comes on top of a product on the order pages: add-ons, and a promotion's code."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django import forms

from billing_portal.clientarea import printing
from billing_portal.clientarea.offers import PER_CYCLE
from billing_portal.products.models import Addon, AddonPrice, Cycle
from billing_portal.promotions import queries as promotions
from billing_portal.services import addons
from billing_portal.services.addons import AddonTerms
from billing_portal.workflows.order_terms import AddonRequest


class AddonsForm(forms.Form):
    """One field per add-on: a tick box, or a number where there may be several."""

    def __init__(
        self, *args: Any, offered: Iterable[Addon], currency: str, cycle: str, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.prices: dict[str, AddonPrice] = {}
        for addon in offered:
            price = addons.default_price(addon, currency=currency, cycle=cycle)
            if price:
                self.prices[str(addon.pk)] = price
                self.fields[str(addon.pk)] = _field(addon, price)

    def wanted(self) -> list[AddonRequest]:
        """The add-ons chosen in a valid form; none in one nobody touched yet."""
        if not self.is_bound:
            return []
        units = {key: int(self.cleaned_data.get(key) or 0) for key in self.prices}
        return [AddonRequest(int(key), count) for key, count in units.items() if count]

    def terms(self) -> tuple[AddonTerms, ...]:
        """The same with their prices."""
        rows = [(self.prices[str(one.addon_id)], one.quantity) for one in self.wanted()]
        return tuple(AddonTerms(price.addon, price, count) for price, count in rows)


@dataclass(frozen=True, slots=True)
class TypedCode:
    """A promotion's code as a checkout shows it: what it does, or why it does not hold."""

    code: str = ""
    error: str = ""
    says: str = ""

    @property
    def holds(self) -> bool:
        return bool(self.code) and not self.error


def typed_code(code: str) -> TypedCode:
    """A code that holds, with what it does: "20 % off on every payment"."""
    if not code:
        return TypedCode()
    promotion = promotions.find(code)
    says = f"{promotions.explained(promotion)} {promotions.duration(promotion)}"
    return TypedCode(promotion.code, says=says)


def price_words(price: AddonPrice) -> str:
    """What an add-on costs: "+€5.00 per month, €2.00 set-up"; "free" if nothing."""
    parts = []
    if price.recurring:
        amount = printing.money(price.recurring, price.currency)
        parts.append(f"+{amount} {PER_CYCLE[Cycle(price.cycle)]}")
    if price.setup_fee:
        parts.append(f"{printing.money(price.setup_fee, price.currency)} set-up")
    return ", ".join(parts) or "free"


def _field(addon: Addon, price: AddonPrice) -> forms.Field:
    label = f"{addon.name} ({price_words(price)})"
    most = addon.maximum_quantity
    if most == 1:
        return forms.BooleanField(label=label, help_text=addon.description, required=False)
    sentence = f"Please enter a number from 0 to {most}."
    return forms.IntegerField(
        label=label,
        help_text=f"0 to {most}, price for each. {addon.description}".strip(),
        min_value=0,
        max_value=most,
        initial=0,
        required=False,
        error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), sentence),
    )
