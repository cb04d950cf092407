"""What a change of a service would cost and do: the one answer to preview and request.

Reads and never writes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings

from billing_portal.calc.changes import ChangePolicy, ChangePrice, Standing, price_change
from billing_portal.calc.invoice import ChargeItem, DraftInvoice, LineKind, draft_invoice
from billing_portal.calc.periods import Period, local_date, local_midnight
from billing_portal.calc.tax import TaxTotal
from billing_portal.invoices.amounts import format_day
from billing_portal.invoices.models import OWED, Invoice
from billing_portal.invoices.queries import billing_rules
from billing_portal.orders import changes
from billing_portal.products.models import Cycle
from billing_portal.promotions.models import Promotion
from billing_portal.promotions.queries import PromotionRefused, Wanted, line_text
from billing_portal.services.changing import ServiceTerms
from billing_portal.services.models import Cancellation, Service
from billing_portal.services.states import ServiceStatus
from billing_portal.taxes.queries import treatments
from billing_portal.workflows import change_code, change_terms
from billing_portal.workflows.change_terms import ChangeRefused, ChangeWish, NewTerms
from billing_portal.workflows.unused_periods import GiveBack, give_back
from provisioning import registry
from provisioning.contract import Capability
from provisioning.models import Job


@dataclass(frozen=True, slots=True)
class ChangeOffer:
    """A change with its price.  `draft` is the invoice it would make; None if nothing moves.
    One that would be negative is no invoice: the client is `given` that back.

    `expires_at` is until when it can be paid: some days, but not beyond the next renewal.
    """

    service: Service
    new: NewTerms
    price: ChangePrice
    draft: DraftInvoice | None
    today: date
    expires_at: datetime
    given: GiveBack | None
    promotion: Promotion | None = None

    @property
    def total(self) -> Decimal:
        """What the client pays now, tax included; negative: what it gets back."""
        if self.given:
            return -self.given.total
        return self.draft.total if self.draft else Decimal(0)

    @property
    def gives_back(self) -> bool:
        return self.total < 0

    @property
    def gives_net(self) -> Decimal:
        """What the client gets back, without tax."""
        return -self.draft.net_total if self.given and self.draft else Decimal(0)

    @property
    def taxes(self) -> list[TaxTotal]:
        """The taxes in `total`; negative those that are given back."""
        if self.given:
            return [replace(tax, amount=-tax.amount) for tax in self.given.taxes]
        return list(self.draft.taxes) if self.draft else []

    @property
    def changes_vendor(self) -> bool:
        """Whether the vendor has something to do."""
        return bool(dict(self.new.spec) != self.service.spec)

    @property
    def cycle_name(self) -> str:
        return str(Cycle(self.new.cycle).label)

    @property
    def period_total(self) -> Decimal:
        """What each period costs from then on, discounts off, before tax is added."""
        return change_terms.terms_then(self.service, self.new).amount

    def terms(self) -> ServiceTerms:
        """What the service is given when the change is carried out."""
        keeps = self.new.keeps_promotion
        return ServiceTerms(
            product_id=self.new.product.pk,
            cycle=self.new.cycle,
            recurring_amount=self.new.recurring,
            quantity=self.new.quantity,
            options=tuple(option.as_json() for option in self.new.options),
            promotion_id=self.service.promotion_id if keeps else None,
            discount_amount=self.new.promotion_off,
            discounts_left=self.service.discounts_left if keeps else 0,
            anchor_date=self.price.anchor,
            billed_until=self.price.next_due,
        )


def refusal(service: Service) -> str:
    """Why a service cannot change at all now, in a sentence; "" if it can.

    `service` comes with client and product.
    """
    if service.status != ServiceStatus.ACTIVE:
        return f"{service} is {service.get_status_display().lower()}, so it cannot change now."
    if service.cancellations.filter(status=Cancellation.Status.OPEN).exists():
        return f"{service} is cancelled. Keep it first, then change it."
    if open_change := changes.open_change(service.pk):
        return (
            f"{service} is already changing to {open_change.after['summary']}. Pay for that or"
            " withdraw it first."
            if open_change.status == changes.Status.PENDING
            else f"{service} is just being changed to {open_change.after['summary']}."
        )
    if unpaid := _unpaid_invoice(service):
        return f"Invoice {unpaid} of {service} is not paid yet. Please pay it first."
    if service.jobs.filter(status__in=Job.OPEN).exists():
        return f"{service} is just being worked on. Please try again in some minutes."
    return ""


def offer(service: Service, wish: ChangeWish, *, at: datetime) -> ChangeOffer:
    """What the wish would cost at `at`.  `service` comes with client, group and product.

    Raises ChangeRefused with a sentence, and per field where a field is wrong.
    """
    if why := refusal(service):
        raise ChangeRefused(why)
    new = change_terms.new_terms(service, wish)
    today = local_date(at, settings.SELLER_TIMEZONE)
    if service.recurring_amount and service.billed_until < today:
        raise ChangeRefused("Its next period is just being invoiced. Please try again tomorrow.")
    promotion = _promotion(service, wish, at) if wish.promotion_code else None
    found = restated(service, new, on=today, at=at, promotion=promotion)
    _check(found, at)
    return found


def restated(
    service: Service,
    new: NewTerms,
    *,
    on: date,
    at: datetime,
    promotion: Promotion | None = None,
) -> ChangeOffer:
    """What becoming `new` on the day `on` costs, as the service is invoiced now; unchecked."""
    priced = _price(service, new, today=on, promotion=promotion)
    draft = _draft(service, new, priced, today=on, promotion=promotion)
    back = -draft.net_total if draft else Decimal(0)
    return ChangeOffer(
        service=service,
        new=new,
        price=priced,
        draft=draft,
        today=on,
        expires_at=_expires_at(service, at),
        given=give_back(service, back, since=on) if back > 0 else None,
        promotion=promotion,
    )


def _promotion(service: Service, wish: ChangeWish, at: datetime) -> Promotion:
    wanted = Wanted(wish.product_id, wish.cycle)
    try:
        return change_code.judged(wish.promotion_code, service.client, wanted, at=at)
    except PromotionRefused as error:
        raise code_refused(str(error)) from error


def code_refused(sentence: str) -> ChangeRefused:
    return ChangeRefused(sentence, {"promotion_code": [sentence]})


def _price(
    service: Service, new: NewTerms, *, today: date, promotion: Promotion | None
) -> ChangePrice:
    is_percent = promotion is not None and promotion.kind == Promotion.Kind.PERCENT
    value = promotion.value if promotion else Decimal(0)
    standing = Standing(change_terms.terms_now(service), service.anchor_date, service.billed_until)
    return price_change(
        standing,
        change_terms.terms_then(service, new),
        today=today,
        policy=ChangePolicy(new.product.change_policy),
        currency=service.currency,
        discount_percent=value if is_percent else Decimal(0),
        discount_amount=Decimal(0) if is_percent else value,
    )


def _check(found: ChangeOffer, at: datetime) -> None:
    service, new = found.service, found.new
    if not _is_change(found):
        raise ChangeRefused(f"That is what {service} is already.")
    key = service.product.module_key
    if found.changes_vendor and Capability.RESIZE not in registry.module_class(key).capabilities:
        raise ChangeRefused(f"{registry.module_class(key).name} cannot change a service.")
    if new.product.pk != service.product_id and new.product.stock == 0:
        raise ChangeRefused(f"{new.product} is sold out at the moment.")
    if found.promotion and not found.price.discount:
        raise code_refused(f"Nothing is due for this change, so {found.promotion} saves nothing.")
    if found.total > 0 and found.expires_at <= at:
        raise ChangeRefused("Its next period is just being invoiced. Please try again later.")


def _is_change(found: ChangeOffer) -> bool:
    service, new = found.service, found.new
    was = [(one["key"], one["value"]) for one in service.options]
    return (
        found.changes_vendor
        or (new.product.pk, new.cycle) != (service.product_id, service.cycle)
        or new.quantity != service.quantity
        or sorted(was) != sorted((one.key, one.value) for one in new.options)
    )


def _unpaid_invoice(service: Service) -> Invoice | None:
    owed = Invoice.objects.filter(status__in=OWED, lines__service=service)
    return owed.order_by("due_date", "pk").first()


def _expires_at(service: Service, at: datetime) -> datetime:
    rules = billing_rules()
    latest = at + timedelta(days=rules.change_offer_days)
    if not service.recurring_amount:
        return latest
    renewal = service.billed_until - timedelta(days=rules.lead_days_of(service.cycle))
    return min(latest, local_midnight(renewal, settings.SELLER_TIMEZONE))


def _draft(
    service: Service,
    new: NewTerms,
    priced: ChangePrice,
    *,
    today: date,
    promotion: Promotion | None,
) -> DraftInvoice | None:
    return draft_invoice(
        currency=service.currency,
        recurring=(),
        charges=list(_items(service, new, priced, today, promotion)),
        billed=frozenset(),
        treatment=treatments([service.client], on=today)[service.client_id],
        payment_method=service.payment_method or service.client.payment_method,
    )


def _items(
    service: Service,
    new: NewTerms,
    priced: ChangePrice,
    today: date,
    promotion: Promotion | None,
) -> Iterator[ChargeItem]:
    """The new price for the days to come, and what was paid for the same days before."""
    until = {"debit": priced.next_due, "credit": service.billed_until}
    old_text = f"{_named(service.product.name, service)}: unused from {format_day(today)} on"
    off_text = line_text(promotion) if promotion else ""
    rows: list[tuple[str, Decimal, date, bool]] = [
        (_named(new.summary, service), priced.debit, until["debit"], new.product.taxable),
        (old_text, -priced.credit, until["credit"], service.product.taxable),
        (off_text, -priced.discount, until["debit"], new.product.taxable),
    ]
    for text, amount, end, taxable in rows:
        if amount:
            yield _item(service, text, amount, today, end, taxable=taxable)


def _item(
    service: Service, text: str, amount: Decimal, start: date, end: date, **more: Any
) -> ChargeItem:
    zone = settings.SELLER_TIMEZONE
    return ChargeItem(
        charge_id=None,
        service_id=service.pk,
        description=text,
        period=Period(local_midnight(start, zone), local_midnight(end, zone)),
        quantity=Decimal(1),
        unit="",
        unit_price=amount,
        amount=amount,
        kind=LineKind.UPGRADE,
        **more,
    )


def _named(what: str, service: Service) -> str:
    return f"{what} ({service.label})" if service.label else what
