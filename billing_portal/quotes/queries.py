"""Reading quotes."""

from datetime import date

from django.db.models import QuerySet

from billing_portal.invoices.models import Invoice
from billing_portal.invoices.states import VOID
from billing_portal.quotes.models import Quote
from billing_portal.quotes.states import HIDDEN, Stage


def delivered() -> QuerySet[Quote]:
    """The quotes those they are for may see."""
    return Quote.objects.exclude(stage__in=HIDDEN)


def quotes_of(client_id: int) -> QuerySet[Quote]:
    """A client's quotes, newest first."""
    return delivered().filter(client_id=client_id)


def awaiting_answer(client_id: int, today: date) -> QuerySet[Quote]:
    """A client's quotes that can be accepted, the first to expire first."""
    standing = Quote.objects.filter(
        client_id=client_id, stage=Stage.DELIVERED, valid_until__gte=today
    )
    return standing.order_by("valid_until", "pk")


def is_expired(quote: Quote, today: date) -> bool:
    """Delivered, and its last day has passed."""
    return quote.stage == Stage.DELIVERED and quote.valid_until < today


def can_be_accepted(quote: Quote, today: date) -> bool:
    return quote.stage == Stage.DELIVERED and not is_expired(quote, today)


def invoices_of(quote: Quote) -> list[Invoice]:
    """What was invoiced of it, without what was cancelled since."""
    return list(quote.invoices.exclude(status__in=VOID).order_by("pk"))
