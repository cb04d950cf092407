"""Reading the catalogue as it is offered today."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Prefetch

from billing_portal.products.models import (
    CYCLE_MONTHS,
    Choice,
    ChoicePrice,
    Cycle,
    Option,
    Product,
    ProductField,
)

Cell = tuple[str, str]
"""(currency, cycle)"""
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


def doubts(product: Product, currencies: Collection[str]) -> list[str]:
    """What staff should look at before somebody orders the product, a sentence each.

    `currencies` are those clients have.
    """
    rates = _rates(product)
    offered = set(rates)
    missing = sorted(set(currencies) - {currency for currency, _ in offered})
    said = [
        f"It has no price in {currency}: clients there cannot order it." for currency in missing
    ]
    said += _cycle_doubts(offered)
    said += _ratio_doubts(rates)
    said += _option_doubts(product, offered)
    single = product.quantity_mode != Product.QuantityMode.ONE and product.maximum_quantity == 1
    if single:
        said.append("Several could be ordered, but the largest quantity is 1.")
    if product.stock == 0:
        said.append("It is out of stock.")
    return said


def _cycle_doubts(offered: Collection[Cell]) -> list[str]:
    """Cycles one currency has and another, in which the product is offered, has not."""
    currencies = sorted({currency for currency, _ in offered})
    return [
        f"{Cycle(cycle).label} has a price in some currencies but not in {currency}."
        for cycle in Cycle.values
        for currency in currencies
        if any(one == cycle for _, one in offered) and (currency, cycle) not in offered
    ]


def _ratio_doubts(rates: Mapping[Cell, Rate]) -> list[str]:
    """Longer cycles that cost more than so many months, or less than a third of them."""
    said = []
    for (currency, cycle), rate in rates.items():
        months = CYCLE_MONTHS[cycle]
        month = rates.get((currency, Cycle.MONTHLY))
        if months < 2 or not month or not month.recurring:
            continue
        if rate.recurring > month.recurring * months:
            said.append(f"{Cycle(cycle).label} in {currency} costs more than {months} months.")
        elif rate.recurring * 3 < month.recurring * months:
            said.append(
                f"{Cycle(cycle).label} in {currency} costs less than a third of {months} months."
            )
    return said


def _option_doubts(product: Product, offered: Collection[Cell]) -> list[str]:
    said = []
    keys: set[str] = set()
    options = Option.objects.filter(group__products=product, hidden=False)
    for option in options.prefetch_related("choices__prices").order_by("group", "position", "pk"):
        choices = [choice for choice in option.choices.all() if not choice.hidden]
        if not choices:
            said.append(f"{option} has nothing to choose, so it is not asked.")
        if option.key in keys:
            said.append(f"{option} has the key {option.key} of another option and is not asked.")
        keys.add(option.key)
        for choice in choices:
            said += _free_choices(option, choice, offered)
    return said


def _free_choices(option: Option, choice: Choice, offered: Collection[Cell]) -> list[str]:
    """Where a choice costs nothing though it has a price elsewhere."""
    prices = choice.prices.all()
    if not any(one.recurring or one.setup_fee for one in prices):
        return []
    priced = {(one.currency, one.cycle) for one in prices}
    free = [
        f"{Cycle(cycle).label.lower()} in {currency}"
        for currency, cycle in sorted(set(offered) - priced)
    ]
    named = named_choice(option, choice)
    return [f"{named} has no price {', '.join(free)} and is free there."] if free else []


def named_choice(option: Option, choice: Choice) -> str:
    """What is priced, for people: "Location: Singapore", or "Addresses" for each of them."""
    single = option.kind in (Option.Kind.YES_NO, Option.Kind.QUANTITY)
    return option.name if single else f"{option.name}: {choice.name}"


def _rates(product: Product) -> dict[Cell, Rate]:
    return {
        (one.currency, one.cycle): Rate(one.setup_fee, one.recurring)
        for one in product.prices.all()
    }


def rates_by_choice(product: Product, *, currency: str) -> dict[tuple[str, str], OfferedChoice]:
    """Every choice of the product's options by their keys, hidden ones too.

    What a tick box or a quantity costs stands under the option's key and "".
    """
    prices = ChoicePrice.objects.filter(currency=currency)
    options = Option.objects.filter(group__products=product).order_by("-hidden", "-pk")
    found: dict[tuple[str, str], OfferedChoice] = {}
    for option in options.prefetch_related(
        Prefetch("choices", Choice.objects.prefetch_related(Prefetch("prices", prices)))
    ):
        for choice in reversed(_offered(option, option.choices.all()).choices):
            single = option.kind in (Option.Kind.YES_NO, Option.Kind.QUANTITY)
            found[option.key, "" if single else choice.key] = choice
    return found
