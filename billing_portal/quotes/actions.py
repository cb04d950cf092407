"""Writing quotes, and moving them from stage to stage.

A quote is accepted once, by whoever it is for, and only until its last day.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.calc.invoice import DraftInvoice, manual_line
from billing_portal.calc.periods import local_date
from billing_portal.clients.models import Client
from billing_portal.errors import PortalError
from billing_portal.invoices import drafting
from billing_portal.invoices.actions import tax_row
from billing_portal.invoices.numbering import take_dated
from billing_portal.quotes.models import Quote, QuoteLine
from billing_portal.quotes.queries import is_expired
from billing_portal.quotes.states import BY_HAND, CHANGEABLE, TRANSITIONS, Stage

PREFIX = "QUO"


class QuoteRefused(PortalError):
    """The quote cannot be written, accepted or moved as asked."""


@dataclass(frozen=True, slots=True)
class OfferLine:
    """One position; `unit_price` is without tax and before the discount."""

    description: str
    quantity: Decimal
    unit_price: Decimal
    discount_percent: Decimal = Decimal(0)
    taxable: bool = True


@dataclass(frozen=True, slots=True)
class Offer:
    """What staff type into a quote.  Without a client it is for the prospect."""

    subject: str
    lines: Sequence[OfferLine]
    valid_until: date
    client: Client | None = None
    prospect: Mapping[str, str] | None = None
    proposal: str = ""
    customer_notes: str = ""
    staff_notes: str = ""
    deposit_percent: Decimal = Decimal(0)


def buyer_of(quote: Quote) -> Client:
    """The client, or one not stored that stands for the prospect."""
    return quote.client or _stand_in(quote.prospect, quote.currency)


def write(offer: Offer, *, at: datetime, actor: User | None) -> Quote:
    """A new quote, as a draft.  Raises QuoteRefused, DraftRefused."""
    with transaction.atomic():
        today = local_date(at, settings.SELLER_TIMEZONE)
        (number,) = take_dated(PREFIX, on=today).numbers
        quote = Quote(
            number=number,
            access_key=secrets.token_urlsafe(32),
            created_at=at,
            created_by=actor,
        )
        _fill(quote, offer, today=today)
        return _noted(quote, "written", f"Quote {quote} written", at=at, actor=actor)


def rewrite(quote_id: int, offer: Offer, *, at: datetime, actor: User | None) -> Quote:
    """A draft, or a quote on hold, with another content.  Raises QuoteRefused."""
    with transaction.atomic():
        quote = locked(quote_id)
        if quote.stage not in CHANGEABLE:
            was = quote.get_stage_display().lower()
            raise QuoteRefused(f"{quote} is {was}. Make it a draft again, or copy it.")
        _fill(quote, offer, today=local_date(at, settings.SELLER_TIMEZONE))
        return _noted(quote, "rewritten", f"Quote {quote} changed", at=at, actor=actor)


def duplicate(quote_id: int, *, at: datetime, actor: User | None, valid_until: date) -> Quote:
    """A new draft that offers the same."""
    original = Quote.objects.select_related("client").get(pk=quote_id)
    return write(offer_of(original, valid_until=valid_until), at=at, actor=actor)


def offer_of(quote: Quote, *, valid_until: date) -> Offer:
    """What somebody would have typed to write this quote."""
    return Offer(
        subject=quote.subject,
        lines=[
            OfferLine(
                line.description,
                line.quantity,
                line.unit_price,
                line.discount_percent,
                line.taxable,
            )
            for line in quote.lines.order_by("position")
        ],
        valid_until=valid_until,
        client=quote.client,
        prospect=quote.prospect,
        proposal=quote.proposal,
        customer_notes=quote.customer_notes,
        staff_notes=quote.staff_notes,
        deposit_percent=quote.deposit_percent,
    )


def move(quote: Quote, to: Quote.Stage, *, reason: str, at: datetime, actor: User | None) -> None:
    """Give a locked quote another stage.  Raises QuoteRefused for a step there is not."""
    if to not in TRANSITIONS[Stage(quote.stage)]:
        was = quote.get_stage_display().lower()
        raise QuoteRefused(f"{quote} is {was} and cannot become {to.label.lower()}.")
    quote.stage = to
    if to == Stage.DELIVERED:
        quote.delivered_at = at
    if to == Stage.ACCEPTED:
        quote.accepted_at = at
    quote.save(update_fields=["stage", "delivered_at", "accepted_at"])
    summary = f"Quote {quote} is {to.label.lower()}: {reason}"
    _noted(quote, to.value, summary, at=at, actor=actor)


def move_by_hand(
    quote_id: int, to: Quote.Stage, *, reason: str, at: datetime, actor: User | None
) -> Quote:
    """Staff give a quote another stage, such as one accepted by phone."""
    if to not in BY_HAND:
        raise QuoteRefused("A quote is delivered by mailing it.")
    with transaction.atomic():
        quote = locked(quote_id)
        move(quote, to, reason=reason, at=at, actor=actor)
        return quote


def accept(quote_id: int, *, by: str, at: datetime, actor: User | None = None) -> Quote:
    """Those it is for accept it, once.  Raises QuoteRefused if it expired or is decided."""
    quote = locked(quote_id)
    _still_open(quote, at=at)
    move(quote, Stage.ACCEPTED, reason=f"by {by}", at=at, actor=actor)
    return quote


def decline(quote_id: int, *, by: str, reason: str, at: datetime, actor: User | None) -> Quote:
    """Those it is for decline it.  Raises QuoteRefused if it is decided."""
    quote = locked(quote_id)
    if quote.stage != Stage.DELIVERED:
        raise QuoteRefused(f"Quote {quote} is {quote.get_stage_display().lower()} already.")
    move(quote, Stage.LOST, reason=f"declined by {by}. {reason}".strip(), at=at, actor=actor)
    return quote


def hand_to(quote: Quote, client: Client, *, at: datetime, actor: User | None) -> None:
    """A prospect became a client: a locked quote is theirs from now on."""
    if quote.client_id is not None:
        raise QuoteRefused(f"Quote {quote} belongs to a client already.")
    if client.currency != quote.currency:
        raise QuoteRefused(f"Quote {quote} is in {quote.currency}, not in {client.currency}.")
    quote.client = client
    quote.save(update_fields=["client"])
    _noted(quote, "handed", f"Quote {quote} belongs to {client} now", at=at, actor=actor)


def locked(quote_id: int) -> Quote:
    rows = Quote.objects.select_for_update(of=("self",), no_key=True).select_related("client")
    return rows.get(pk=quote_id)


def compose(offer: Offer, *, on: date) -> DraftInvoice:
    """What the offer comes to, with the buyer's taxes of that day.  Raises DraftRefused."""
    buyer = offer.client or _stand_in(offer.prospect or {}, settings.DEFAULT_CURRENCY)
    lines = [
        manual_line(
            line.description,
            quantity=line.quantity,
            unit_price=line.unit_price,
            discount_percent=line.discount_percent,
            currency=buyer.currency,
            on=on,
            taxable=line.taxable,
        )
        for line in offer.lines
    ]
    return drafting.taxed(buyer, lines, on=on, due_date=None)


def _fill(quote: Quote, offer: Offer, *, today: date) -> None:
    if offer.client is None and not (offer.prospect or {}).get("email"):
        raise QuoteRefused("Say for whom it is: a client, or a prospect with an e-mail address.")
    if offer.valid_until < today:
        raise QuoteRefused("It would be expired from the start. Choose a later last day.")
    draft = compose(offer, on=today)
    quote.client, quote.prospect = offer.client, dict(offer.prospect or {})
    quote.currency, quote.subject = draft.currency, offer.subject
    quote.proposal, quote.customer_notes = offer.proposal, offer.customer_notes
    quote.staff_notes, quote.valid_until = offer.staff_notes, offer.valid_until
    quote.deposit_percent = offer.deposit_percent
    quote.net_total, quote.tax_total, quote.total = draft.net_total, draft.tax_total, draft.total
    quote.taxes = [tax_row(tax) for tax in draft.taxes]
    quote.save()
    quote.lines.all().delete()
    QuoteLine.objects.bulk_create(
        QuoteLine(
            quote=quote,
            position=position,
            description=line.description,
            quantity=line.quantity,
            unit_price=line.unit_price,
            discount_percent=line.discount_percent,
            taxable=line.taxable,
            amount=priced.amount,
        )
        for position, (line, priced) in enumerate(
            zip(offer.lines, draft.lines, strict=True), start=1
        )
    )


def _stand_in(prospect: Mapping[str, str], currency: str) -> Client:
    names = ("company_name", "first_name", "last_name", "email", "address1", "postcode")
    known = {name: prospect.get(name, "") for name in (*names, "city", "state", "country")}
    return Client(currency=currency, **known)


def _still_open(quote: Quote, *, at: datetime) -> None:
    if quote.stage != Stage.DELIVERED:
        was = quote.get_stage_display().lower()
        raise QuoteRefused(f"Quote {quote} is {was}, so it cannot be accepted.")
    if is_expired(quote, local_date(at, settings.SELLER_TIMEZONE)):
        raise QuoteRefused(f"Quote {quote} expired. Please ask us for a new one.")


def _noted(quote: Quote, action: str, summary: str, *, at: datetime, actor: User | None) -> Quote:
    audit.record(
        f"quote.{action}",
        quote,
        summary=summary,
        at=at,
        actor=actor,
        client_id=quote.client_id,
    )
    return quote
