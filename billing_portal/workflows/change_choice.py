"""What a service may become, the questions about that, and the price: for pages.

A page is drawn from its address, so that every choice shows its price before anything
happens, with or without JavaScript.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from django import forms

from billing_portal.calc.invoice import DraftLine
from billing_portal.products.forms import OptionsForm
from billing_portal.products.models import Cycle, Price, Product
from billing_portal.products.queries import OfferedOption, Rate, offered_options
from billing_portal.promotions.models import Promotion
from billing_portal.services.models import Service
from billing_portal.workflows import change_offer, change_terms
from billing_portal.workflows.change_offer import ChangeOffer
from billing_portal.workflows.change_terms import ChangeRefused, ChangeWish


@dataclass(frozen=True, slots=True)
class Target:
    """One product and cycle a service may have.  `amount` is the list price of one unit."""

    product: Product
    cycle: str
    amount: Decimal
    currency: str
    is_present: bool

    @property
    def key(self) -> str:
        return f"{self.product.pk}:{self.cycle}"

    @property
    def cycle_name(self) -> str:
        return str(Cycle(self.cycle).label)


class ChangeChoice:
    """One look at the page: what is chosen, and what that costs.

    `asked` is what the address or the form says, `standing` the spec as it stands.
    """

    def __init__(
        self,
        service: Service,
        asked: Mapping[str, Any],
        *,
        standing: Mapping[str, Any],
        at: datetime,
    ) -> None:
        self.service, self._asked, self._standing, self._at = service, asked, standing, at

    @cached_property
    def refusal(self) -> str:
        """Why it cannot change at all now; "" if it can."""
        return change_offer.refusal(self.service)

    @cached_property
    def targets(self) -> list[Target]:
        """What it may become, its present product and cycle among them."""
        return list(self._targets())

    @property
    def is_offered(self) -> bool:
        """Whether there is anything to choose."""
        has_units = self.service.product.quantity_mode == Product.QuantityMode.SCALING
        return len(self.targets) > 1 or bool(self._options_of(self.service.product)) or has_units

    @cached_property
    def chosen(self) -> Target:
        """What is chosen; its present product and cycle until something is."""
        by_key = {target.key: target for target in self.targets}
        present = next(target for target in self.targets if target.is_present)
        return by_key.get(self._asked.get("target", ""), present)

    @cached_property
    def numbers(self) -> forms.Form | None:
        """The numbers the module asks for the chosen product."""
        product = self.chosen.product
        return change_terms.number_form(
            self.service, product, self._data, initial=self.service.spec
        )

    @cached_property
    def options(self) -> OptionsForm:
        return OptionsForm(
            self._data,
            offered=self._options_of(self.chosen.product),
            cycle=self.chosen.cycle,
            price_label=self._price_label,
        )

    @property
    def most_units(self) -> int:
        product = self.chosen.product
        scales = product.quantity_mode == Product.QuantityMode.SCALING
        return product.maximum_quantity if scales else 1

    @cached_property
    def quantity(self) -> int:
        text = str(self._asked.get("quantity", self.service.quantity))
        return int(text) if text.isdecimal() and len(text) < 7 else 0

    @property
    def wish(self) -> ChangeWish:
        """What is offered: without a code that does not hold."""
        return replace(self._typed, promotion_code="" if self.code_error else self.code)

    @cached_property
    def takes_codes(self) -> bool:
        return Promotion.objects.filter(for_upgrades=True).exists()

    @property
    def code(self) -> str:
        """The promotion code as it was typed."""
        return str(self._asked.get("promotion_code", "")).strip()[:40]

    @cached_property
    def found(self) -> tuple[ChangeOffer | None, str, str]:
        """The offer, or why there is none; and why the code does not hold."""
        if not self._asked:
            return None, "", ""
        try:
            with_code = replace(self._typed, promotion_code=self.code)
            return self._offered(with_code), "", ""
        except ChangeRefused as error:
            refused = error.field_errors.get("promotion_code")
            if not refused:
                return None, str(error), ""
        try:
            return self._offered(self._typed), "", refused[0]
        except ChangeRefused as error:
            return None, str(error), refused[0]

    @property
    def code_error(self) -> str:
        return self.found[2]

    @property
    def offer(self) -> ChangeOffer | None:
        return self.found[0]

    @property
    def error(self) -> str:
        return self.found[1]

    @property
    def lines(self) -> list[DraftLine]:
        draft = self.offer.draft if self.offer else None
        return list(draft.lines) if draft else []

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """The choice once more, to send with the confirmation."""
        own = ("csrfmiddlewaretoken", "shown_total", "request_key")
        return [(name, value) for name, value in self._asked.items() if name not in own]

    @property
    def next_due(self) -> date | None:
        return self.offer.price.next_due if self.offer and self.offer.new.recurring else None

    @property
    def _typed(self) -> ChangeWish:
        return ChangeWish(
            self.chosen.product.pk,
            self.chosen.cycle,
            quantity=self.quantity if self.most_units > 1 else 1,
            answers=self._data,
            options=self._data,
        )

    def _offered(self, wish: ChangeWish) -> ChangeOffer:
        return change_offer.offer(self.service, wish, at=self._at)

    @cached_property
    def _data(self) -> dict[str, Any]:
        """What was answered; before that, what the service has now, or what fits the product."""
        if self._asked.get("asked") == self.chosen.key:
            return dict(self._asked.items())
        options = self.service.options
        had = {one["key"]: one["value"] for one in options if one["value"] is not False}
        data = {**self._standing, **had}
        fitting = change_terms.number_form(self.service, self.chosen.product, data)
        if fitting:
            wrong = [name for name in fitting.fields if name in fitting.errors]
            data |= {name: fitting.fields[name].initial for name in wrong}
        return data

    def _targets(self) -> Iterator[Target]:
        service = self.service
        products = change_terms.targets_of(service)
        by_product = change_terms.prices_of(service, products)
        for product in products:
            is_own, prices = product.pk == service.product_id, by_product[product.pk]
            if is_own and service.cycle not in [price.cycle for price in prices]:
                yield Target(
                    product,
                    service.cycle,
                    service.recurring_amount,
                    service.currency,
                    is_present=True,
                )
            for price in prices:
                is_present = is_own and price.cycle == service.cycle
                amount = self._amount(price, is_present)
                yield Target(product, price.cycle, amount, service.currency, is_present)

    def _amount(self, price: Price, is_present: bool) -> Decimal:
        return self.service.recurring_amount if is_present else price.recurring

    def _options_of(self, product: Product) -> list[OfferedOption]:
        return offered_options(product, currency=self.service.currency)

    def _price_label(self, rate: Rate) -> str:
        return f"{rate.recurring:.2f} {self.service.currency}" if rate.recurring else ""
