"""What a promotion and a client group take off, and in which order.

The promotion comes first, off the list price; then the group's percentage, off what the
promotion has left.  30.00 with 20 % by code and 10 % by group is 30.00 - 6.00 - 2.40.
Each is rounded to the minor unit on a line of its own, and no item falls below 0.00.

A promotion acts on the first payment, and on as many renewals as it recurs for:

    percent         that part of the set-up fee and of the period, units and options included
    fixed           that amount off the period, however many units; what the first period
                    is too small for comes off the set-up fee
    price override  the product's own price per unit; options are paid on top, and what is
                    cheaper already stays as it is
    free set-up     the whole set-up fee and nothing else
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from .invoice import Discount
from .money import exact, round_money


class PromotionKind(StrEnum):
    PERCENT = "percent"
    FIXED = "fixed"
    PRICE_OVERRIDE = "price_override"
    FREE_SETUP = "free_setup"


@dataclass(frozen=True, slots=True)
class PromotionRule:
    """`value` is a percentage or an amount; `recurs_for` counts renewals, None is every one."""

    kind: PromotionKind
    value: Decimal = Decimal(0)
    recurring: bool = False
    recurs_for: int | None = None


@dataclass(frozen=True, slots=True)
class ListPrice:
    """What an item costs without discounts, for all its units and with its options.

    `unit_price` is the product's own price per unit and period, without options.
    """

    recurring: Decimal
    setup_fee: Decimal
    unit_price: Decimal
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class PromotionEffect:
    """What a promotion takes off one item; `periods` counts the first, None is for ever."""

    off_setup: Decimal
    off_period: Decimal
    periods: int | None


NO_EFFECT = PromotionEffect(Decimal(0), Decimal(0), 0)


def effect_of(rule: PromotionRule, price: ListPrice, *, currency: str) -> PromotionEffect:
    """What `rule` takes off the set-up fee once and off each of its periods.

    Set-up 10.00, 30.00 a month, 20 % recurring for 2: 2.00 once, and 6.00 for 3 periods.
    """
    off_setup = _fit(_off_setup(rule, price), price.setup_fee, currency)
    off_period = _fit(_off_period(rule, price), price.recurring, currency)
    if rule.kind == PromotionKind.FREE_SETUP:
        periods: int | None = 0
    elif not rule.recurring:
        periods = 1
    else:
        periods = None if rule.recurs_for is None else 1 + rule.recurs_for
    return PromotionEffect(off_setup, off_period, periods)


def promotion_share(
    off_period: Decimal, *, full: Decimal, billed: Decimal, currency: str
) -> Decimal:
    """What the promotion takes off a period of which `billed` is invoiced instead of `full`.

    6.00 off 30.00, but only 10.00 of it is billed for a short first period: 2.00
    """
    if not full:
        return round_money(0, currency)
    return _fit(exact(off_period) * exact(billed) / exact(full), billed, currency)


def percent_off(amount: Decimal, percent: Decimal, *, currency: str) -> Decimal:
    """That percentage of `amount`, rounded."""
    return _fit(exact(amount) * exact(percent) / 100, amount, currency)


def discounts_of(
    amount: Decimal,
    *,
    promotion: Discount | None,
    group_percent: Decimal,
    group_name: str,
    currency: str,
) -> tuple[Discount, ...]:
    """The discount lines of an item over `amount`: the promotion's, then the group's."""
    found = []
    left = round_money(amount, currency)
    if promotion and (less := _fit(promotion.amount, left, currency)):
        found.append(Discount(promotion.description, less))
        left -= less
    if less := percent_off(left, group_percent, currency=currency):
        shown = f"{group_percent.normalize():f}"
        found.append(Discount(f"{group_name}: {shown} % discount", less))
    return tuple(found)


def _off_setup(rule: PromotionRule, price: ListPrice) -> Fraction:
    setup_fee = exact(price.setup_fee)
    if rule.kind == PromotionKind.FREE_SETUP:
        return setup_fee
    if rule.kind == PromotionKind.PERCENT:
        return setup_fee * exact(rule.value) / 100
    if rule.kind == PromotionKind.FIXED:
        return exact(rule.value) - exact(price.recurring)
    return Fraction()


def _off_period(rule: PromotionRule, price: ListPrice) -> Fraction:
    if rule.kind == PromotionKind.PERCENT:
        return exact(price.recurring) * exact(rule.value) / 100
    if rule.kind == PromotionKind.FIXED:
        return exact(rule.value)
    if rule.kind == PromotionKind.PRICE_OVERRIDE:
        return (exact(price.unit_price) - exact(rule.value)) * price.quantity
    return Fraction()


def _fit(off: Fraction | Decimal, amount: Decimal, currency: str) -> Decimal:
    """`off`, rounded, but neither below nothing nor more than the rounded amount."""
    most = round_money(amount, currency)
    return min(max(round_money(off, currency), round_money(0, currency)), most)
