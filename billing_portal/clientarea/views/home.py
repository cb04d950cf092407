"""The start page: the catalogue for visitors, what needs them for customers."""

from decimal import Decimal

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from billing_portal.calc.periods import local_date
from billing_portal.clientarea.access import ClientRequest, for_client
from billing_portal.clientarea.views.catalogue import catalogue
from billing_portal.clientarea.views.invoices import with_lights
from billing_portal.clientarea.views.services import listed
from billing_portal.clients.models import Permission
from billing_portal.clock.reading import now
from billing_portal.invoices.queries import unpaid_of
from billing_portal.quotes.queries import awaiting_answer
from billing_portal.services.queries import services_of
from billing_portal.services.states import ENDED

SHOWN = 8


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    if getattr(request, "acting_client", None):
        return _dashboard(request)
    return catalogue(request)


@for_client(None)
def _dashboard(request: ClientRequest) -> HttpResponse:
    """Services, unpaid invoices and open quotes, as far as the user may see them."""
    client, may = request.acting_client, request.membership.allows
    services = services_of(client.pk).exclude(status__in=ENDED)
    unpaid = list(unpaid_of(client.pk)) if may(Permission.INVOICES) else []
    today = local_date(now(), settings.SELLER_TIMEZONE)
    overdue = [invoice for invoice in unpaid if invoice.due_date < today]
    context = {
        "services": listed(services[:SHOWN]) if may(Permission.PRODUCTS) else [],
        "service_count": services.count() if may(Permission.PRODUCTS) else 0,
        "shown": SHOWN,
        "quotes": awaiting_answer(client.pk, today)[:SHOWN] if may(Permission.ORDERS) else [],
        "unpaid": with_lights(unpaid[:SHOWN]),
        "owed": sum((invoice.balance for invoice in unpaid), Decimal(0)),
        "overdue": with_lights(overdue),
        "overdue_sum": sum((invoice.balance for invoice in overdue), Decimal(0)),
    }
    return render(request, "clientarea/dashboard.html", context)
