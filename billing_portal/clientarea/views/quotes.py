"""Quotes: a client's own, and the page a prospect reaches without a log-in, by its key."""

from datetime import date
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from billing_portal.calc.periods import local_date
from billing_portal.clientarea import printing
from billing_portal.clientarea.access import ClientRequest, for_client, for_row
from billing_portal.clientarea.forms import PROSPECT_KEY
from billing_portal.clientarea.lights import Light
from billing_portal.clients.models import Permission
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.invoices import parties
from billing_portal.invoices.tax_words import tax_rows
from billing_portal.quotes import queries
from billing_portal.quotes.actions import buyer_of
from billing_portal.quotes.models import Quote
from billing_portal.quotes.pdf import quote_pdf
from billing_portal.quotes.states import Stage
from billing_portal.workflows import quotes as flow

PER_PAGE = 25
ASK_TO_AGREE = "Please tick that you accept the offer."


def _quotes() -> QuerySet[Quote]:
    return queries.delivered().select_related("client")


# --- A client's own -----------------------------------------------------------------------


@require_GET
@for_client(Permission.ORDERS)
def listing(request: ClientRequest) -> HttpResponse:
    pages = Paginator(queries.quotes_of(request.acting_client.pk), PER_PAGE)
    page = pages.get_page(request.GET.get("page"))
    rows = [(quote, _light(quote)) for quote in page.object_list]
    return render(request, "clientarea/quotes.html", {"page": page, "rows": rows})


@require_GET
@for_row(Permission.ORDERS, _quotes)
def quote(request: ClientRequest, quote: Quote) -> HttpResponse:
    """What is offered, with accepting and declining while it is open."""
    context = _sheet(quote) | {
        "pdf_address": reverse("clientarea:quote_pdf", args=[quote.pk]),
        "accept_address": reverse("clientarea:accept_quote", args=[quote.pk]),
        "decline_address": reverse("clientarea:decline_quote", args=[quote.pk]),
    }
    return render(request, "clientarea/quote.html", context)


@require_GET
@for_row(Permission.ORDERS, _quotes)
def pdf(request: ClientRequest, quote: Quote) -> HttpResponse:
    return _pdf(quote)


@require_POST
@for_row(Permission.ORDERS, _quotes)
def accept(request: ClientRequest, quote: Quote) -> HttpResponse:
    if "agreed" not in request.POST:
        messages.error(request, ASK_TO_AGREE)
        return redirect("clientarea:quote", pk=quote.pk)
    try:
        flow.accept(quote.pk, by=str(request.user), at=now(), actor=request.user)
    except PortalError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Thank you. The quote is accepted, and we know about it.")
    return redirect("clientarea:quote", pk=quote.pk)


@require_POST
@for_row(Permission.ORDERS, _quotes)
def decline(request: ClientRequest, quote: Quote) -> HttpResponse:
    _decline(request, quote, by=str(request.user), actor=request.user)
    return redirect("clientarea:quote", pk=quote.pk)


# --- A prospect's, by its key -------------------------------------------------------------


@require_GET
def by_key(request: HttpRequest, key: str) -> HttpResponse:
    """The offer for whoever has the link; a client's own is shown after the log-in."""
    quote = _by_key(key)
    if quote.client_id:
        return redirect("clientarea:quote", pk=quote.pk)
    context = _sheet(quote) | {
        "key": key,
        "pdf_address": reverse("clientarea:quote_key_pdf", args=[key]),
        "accept_address": reverse("clientarea:accept_key", args=[key]),
        "decline_address": reverse("clientarea:decline_key", args=[key]),
        "join_address": _sign_up_address(request, quote),
    }
    response = render(request, "clientarea/quote.html", context)
    response["Referrer-Policy"] = "same-origin"
    response["X-Robots-Tag"] = "noindex"
    return response


@require_GET
def pdf_by_key(request: HttpRequest, key: str) -> HttpResponse:
    quote = _by_key(key)
    if quote.client_id:
        return redirect("clientarea:quote_pdf", pk=quote.pk)
    return _pdf(quote)


@require_POST
def accept_by_key(request: HttpRequest, key: str) -> HttpResponse:
    """The prospect accepts, and goes on to sign up with what is known filled in."""
    quote = _by_key(key)
    if quote.client_id:
        return redirect("clientarea:quote", pk=quote.pk)
    if "agreed" not in request.POST:
        messages.error(request, ASK_TO_AGREE)
        return redirect("clientarea:quote_key", key=key)
    try:
        flow.accept(quote.pk, by=str(buyer_of(quote)).strip(), at=now(), actor=None)
    except PortalError as error:
        messages.error(request, str(error))
        return redirect("clientarea:quote_key", key=key)
    messages.success(request, "Thank you. The quote is accepted, and we know about it.")
    return redirect(_sign_up_address(request, quote))


@require_POST
def decline_by_key(request: HttpRequest, key: str) -> HttpResponse:
    quote = _by_key(key)
    if quote.client_id:
        return redirect("clientarea:quote", pk=quote.pk)
    _decline(request, quote, by=str(buyer_of(quote)).strip(), actor=None)
    return redirect("clientarea:quote_key", key=key)


@require_http_methods(["GET", "POST"])
@for_client(Permission.ORDERS)
def join(request: ClientRequest, key: str) -> HttpResponse:
    """Whoever accepted by the link is a client now: asks, then puts the quote into the account.

    It may bring an invoice, so a link alone, which anybody can send, does not do it.
    """
    quote = _by_key(key)
    if quote.client_id:
        return redirect("clientarea:quote", pk=quote.pk)
    if request.method == "GET":
        return render(request, "clientarea/quote_join.html", {"quote": quote, "key": key})
    try:
        flow.join(quote.pk, request.acting_client, at=now(), actor=request.user)
    except PortalError as error:
        messages.error(request, str(error))
        return redirect("clientarea:quote_key", key=key)
    request.session.pop(PROSPECT_KEY, None)
    messages.success(request, f"Quote {quote} is in your account now.")
    return redirect("clientarea:quote", pk=quote.pk)


def _sheet(quote: Quote) -> dict[str, Any]:
    today = _today()
    return {
        "quote": quote,
        "light": _light(quote),
        "lines": quote.lines.order_by("position"),
        "tax_rows": tax_rows(quote.taxes, quote.currency, locale=printing.locale()),
        "buyer": str(buyer_of(quote)).strip(),
        "seller": parties.seller(),
        "can_accept": queries.can_be_accepted(quote, today),
        "is_expired": queries.is_expired(quote, today),
        "bills": queries.invoices_of(quote),
    }


def _light(quote: Quote) -> Light:
    if quote.stage == Stage.ACCEPTED:
        return Light("active", "Accepted")
    if quote.stage == Stage.LOST:
        return Light("ended", "Declined")
    if queries.is_expired(quote, _today()):
        return Light("ended", "Expired")
    return Light("info", "Open")


def _by_key(key: str) -> Quote:
    return get_object_or_404(_quotes(), access_key=key)


def _sign_up_address(request: HttpRequest, quote: Quote) -> str:
    """Where the account is made, or the quote is put into the one that is open already."""
    going_on = reverse("clientarea:join_quote", args=[quote.access_key])
    if request.user.is_authenticated:
        return going_on
    request.session[PROSPECT_KEY] = quote.prospect
    return reverse("account_signup", query={"next": going_on})


def _decline(request: Any, quote: Quote, *, by: str, actor: Any) -> None:
    reason = request.POST.get("reason", "").strip()[:200]
    try:
        flow.decline(quote.pk, by=by, reason=reason, at=now(), actor=actor)
    except PortalError as error:
        messages.error(request, str(error))
    else:
        messages.info(request, "The quote is declined. Thank you for telling us.")


def _pdf(quote: Quote) -> HttpResponse:
    headers = {"Content-Disposition": f'inline; filename="{quote.number}.pdf"'}
    return HttpResponse(quote_pdf(quote), content_type="application/pdf", headers=headers)


def _today() -> date:
    return local_date(now(), settings.SELLER_TIMEZONE)
