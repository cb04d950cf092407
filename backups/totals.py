"""What accounts hold, cost and earn: now, and day by day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from django.db.models import Count, Q, Sum

from billing_portal.calc.money import exact, round_money
from billing_portal.calc.tiers import amount_of
from billing_portal.products.metering import pricing_of
from billing_portal.services.models import Service, ServiceUsagePrice
from provisioning.models import Server

from .answers import BYTES_PER_GB
from .limits import GB_PER_PRICE
from .models import AccountCost, Datastore, SizeSpan
from .queries import accounts
from .usage import METRIC


@dataclass(frozen=True, slots=True)
class Margin:
    """A month at the present size: what the vendor charges and what the client pays.

    `cost` is None without a vendor price, `revenue` without a service; `margin` is None
    unless both are known and in one currency.
    """

    cost: Decimal | None
    cost_currency: str
    revenue: Decimal | None
    currency: str

    @property
    def margin(self) -> Decimal | None:
        if self.cost is None or self.revenue is None or self.cost_currency != self.currency:
            return None
        return self.revenue - self.cost


@dataclass(frozen=True, slots=True)
class AccountTotal:
    """All standing datastores of one account."""

    server: Server
    count: int
    size_gb: Decimal
    used_gb: Decimal
    cost: Decimal | None
    cost_currency: str


def margin_of(row: Datastore, cost: AccountCost | None, price: ServiceUsagePrice | None) -> Margin:
    """What one datastore costs and earns in a month if it stays as it is."""
    return Margin(
        cost=_month(row.size_bytes, cost.price_per_1000gb, cost.currency) if cost else None,
        cost_currency=cost.currency if cost else "",
        revenue=_sold(row.size_bytes, price) if price else None,
        currency=price.service.currency if price else "",
    )


def costs() -> dict[int, AccountCost]:
    """The vendor's prices by server."""
    return {cost.server_id: cost for cost in AccountCost.objects.all()}


def prices(services: Sequence[Service]) -> dict[int, ServiceUsagePrice]:
    """The agreed prices for storage by service."""
    agreed = ServiceUsagePrice.objects.filter(service__in=services, metric=METRIC)
    return {price.service_id: price for price in agreed.select_related("service")}


def account_totals() -> list[AccountTotal]:
    """Every account with what stands in it, by name."""
    stands = Q(datastores__deleted_at=None, datastores__missing_at=None)
    vendor_prices = costs()
    rows = accounts().annotate(
        count=Count("datastores", filter=stands),
        bytes=Sum("datastores__size_bytes", filter=stands),
        used=Sum("datastores__used_bytes", filter=stands),
    )
    totals = []
    for server in rows:
        cost = vendor_prices.get(server.pk)
        totals.append(
            AccountTotal(
                server=server,
                count=server.count,
                size_gb=Decimal(server.bytes or 0) / BYTES_PER_GB,
                used_gb=Decimal(server.used or 0) / BYTES_PER_GB,
                cost=_month(server.bytes or 0, cost.price_per_1000gb, cost.currency)
                if cost
                else None,
                cost_currency=cost.currency if cost else "",
            )
        )
    return totals


def sizes_at(moments: Sequence[datetime]) -> list[Decimal]:
    """GB of all accounts together at each moment, by what is recorded; one query."""
    if not moments:
        return []
    sums = {
        f"m{index}": Sum(
            "size_bytes",
            filter=Q(starts_at__lte=at) & (Q(ends_at__isnull=True) | Q(ends_at__gt=at)),
        )
        for index, at in enumerate(moments)
    }
    found = SizeSpan.objects.filter(datastore__missing_at=None).aggregate(**sums)
    return [Decimal(found[f"m{index}"] or 0) / BYTES_PER_GB for index in range(len(moments))]


def _sold(size_bytes: int, price: ServiceUsagePrice) -> Decimal:
    """What the client pays for a month of this size alone."""
    pricing = pricing_of(price, per=GB_PER_PRICE)
    return round_money(
        amount_of(Fraction(size_bytes, BYTES_PER_GB), pricing), price.service.currency
    )


def _month(size_bytes: int, price: Decimal, currency: str) -> Decimal:
    exact_gb = Fraction(size_bytes, BYTES_PER_GB)
    return round_money(exact_gb * exact(price) / GB_PER_PRICE, currency)
