"""Reading the catalogue as it is offered today."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Prefetch

from billing_portal.products.models import Choice, ChoicePrice, Option, Product, ProductField

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Rate:
    """What something costs in one cycle: once, and each time."""

    setup_fee: Decimal = NOTHING
    recurring: Decimal = NOTHING


@dataclass(frozen=True, slots=True)
class OfferedChoice:
    """One value of an option, with its rate in each cycle that has one."""

    key: str
    name: str
    rates: Mapping[str, Rate]

    def rate(self, cycle: str) -> Rate:
        return self.rates.get(cycle, Rate())


@dataclass(frozen=True, slots=True)
class OfferedOption:
    """An option as it is offered in one currency; it has at least one choice."""

    key: str
    name: str
    kind: Option.Kind
    minimum: int
    maximum: int
    choices: tuple[OfferedChoice, ...]

    @property
    def unit(self) -> OfferedChoice:
        """The one choice that prices a tick box or each unit of a quantity."""
        return self.choices[0]


def offered_options(product: Product, *, currency: str) -> list[OfferedOption]:
    """The options of a product in the order they are asked, without what is hidden.

    Of two options with the same key the first counts: a module reads only one.
    """
    prices = ChoicePrice.objects.filter(currency=currency)
    choices = Choice.objects.filter(hidden=False).prefetch_related(Prefetch("prices", prices))
    rows = (
        Option.objects.filter(group__products=product, hidden=False)
        .prefetch_related(Prefetch("choices", choices))
        .order_by("group__name", "group", "position", "pk")
    )
    found: dict[str, OfferedOption] = {}
    for row in rows:
        if row.choices.all():
            found.setdefault(row.key, _offered(row, row.choices.all()))
    return list(found.values())


def asked_fields(product: Product, *, by_staff: bool = False) -> list[ProductField]:
    """The further questions put with an order; those for staff alone only to them."""
    fields = product.fields.order_by("position", "pk")
    return list(fields if by_staff else fields.filter(staff_only=False))


def _offered(option: Option, choices: Iterable[Choice]) -> OfferedOption:
    return OfferedOption(
        option.key,
        option.name,
        Option.Kind(option.kind),
        option.minimum,
        option.maximum,
        tuple(
            OfferedChoice(
                choice.key,
                choice.name,
                {one.cycle: Rate(one.setup_fee, one.recurring) for one in choice.prices.all()},
            )
            for choice in choices
        ),
    )
