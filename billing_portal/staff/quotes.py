"""Quotes: the list, writing and mailing them, their stages, and invoicing what was accepted."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django_countries import countries

from billing_portal.audit.queries import history_of
from billing_portal.calc.invoice import DraftInvoice
from billing_portal.calc.money import round_money
from billing_portal.calc.periods import local_date
from billing_portal.clients.models import Client
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.quotes import actions, queries
from billing_portal.quotes.actions import Offer, OfferLine
from billing_portal.quotes.models import Quote
from billing_portal.quotes.pdf import quote_pdf
from billing_portal.quotes.states import BY_HAND, CHANGEABLE, TRANSITIONS, Stage
from billing_portal.staff.forms import ReasonForm
from billing_portal.staff.lines import Lines, QuoteLineForm, lines_form
from billing_portal.staff.page import Crumb, member, show, staff_page
from billing_portal.workflows import quotes

PER_PAGE = 50
VALID_FOR = timedelta(days=30)
PROSPECT = (
    *("company_name", "first_name", "last_name", "email"),
    *("address1", "postcode", "city", "country"),
)


class QuoteForm(forms.Form):
    """What a quote says beside its lines."""

    subject = forms.CharField(max_length=150)
    valid_until = forms.DateField(
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="The last day on which it can be accepted.",
    )
    deposit_percent = forms.DecimalField(
        min_value=0,
        max_value=100,
        max_digits=5,
        decimal_places=2,
        initial=0,
        label="Deposit in %",
        help_text="Invoiced on acceptance; 0 for none. The rest is invoiced when you say so.",
    )
    proposal = forms.CharField(
        required=False,
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Printed above the lines.",
    )
    customer_notes = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Printed below the lines.",
    )
    staff_notes = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Only staff see this.",
    )


class ProspectQuoteForm(QuoteForm):
    """A quote for somebody who is no client yet."""

    company_name = forms.CharField(max_length=150, required=False)
    first_name = forms.CharField(max_length=80)
    last_name = forms.CharField(max_length=80)
    email = forms.EmailField(label="E-mail address", help_text="The quote is mailed here.")
    address1 = forms.CharField(max_length=150, required=False, label="Address")
    postcode = forms.CharField(max_length=20, required=False)
    city = forms.CharField(max_length=80, required=False)
    country = forms.ChoiceField(choices=countries, help_text="Decides about tax.")
    field_order = (*PROSPECT, "subject")


class StageForm(ReasonForm):
    """Another stage, and why."""

    stage = forms.ChoiceField()
    field_order = ("stage", "reason")

    def __init__(self, *args: Any, quote: Quote, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["stage"]
        assert isinstance(field, forms.ChoiceField)
        after = TRANSITIONS[Stage(quote.stage)]
        field.choices = [(stage.value, stage.label) for stage in BY_HAND if stage in after]


def crumbs(quote: Quote | None = None) -> tuple[Crumb, ...]:
    path = [Crumb("Quotes", reverse("staff:quotes"))]
    if quote:
        path.append(Crumb(str(quote), reverse("staff:quote", args=[quote.pk])))
    return tuple(path)


@staff_page("quotes.view_quote")
def listing(request: HttpRequest) -> HttpResponse:
    """Every quote, by stage, the newest first."""
    stage = request.GET.get("stage", "")
    found = Quote.objects.select_related("client").order_by("-created_at", "-pk")
    if stage in Stage.values:
        found = found.filter(stage=stage)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "stage": stage, "stages": Stage.choices, "today": _today()}
    return show(request, "staff/quotes.html", title="Quotes", context=context)


@staff_page("quotes.view_quote")
def page(request: HttpRequest, pk: int) -> HttpResponse:
    """What is offered to whom, what was invoiced of it, and what happened."""
    quote = _quote(pk)
    today = _today()
    bills = queries.invoices_of(quote)
    billed = sum((bill.net_total for bill in bills), start=quote.net_total * 0)
    is_accepted = quote.stage == Stage.ACCEPTED and quote.client is not None
    context = {
        "quote": quote,
        "buyer": actions.buyer_of(quote),
        "lines": quote.lines.order_by("position"),
        "bills": bills,
        "history": history_of(quote),
        "today": today,
        "is_expired": queries.is_expired(quote, today),
        "is_changeable": quote.stage in CHANGEABLE,
        "can_mail": quote.stage in (*CHANGEABLE, Stage.DELIVERED),
        "can_move": bool(TRANSITIONS[Stage(quote.stage)] & set(BY_HAND)),
        "can_deposit": is_accepted and not bills and bool(quote.deposit_percent),
        "can_invoice": is_accepted and billed < quote.net_total,
        "link": f"{settings.PORTAL_URL}/quotes/key/{quote.access_key}/",
    }
    return show(request, "staff/quote.html", title=str(quote), crumbs=crumbs(), context=context)


@staff_page("quotes.add_quote")
def new(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """A new quote for a client, or for a prospect."""
    client = get_object_or_404(Client, pk=pk) if pk else None
    offer = Offer(subject="", lines=(), valid_until=_today() + VALID_FOR, client=client)
    return _write(request, None, offer)


@staff_page("quotes.add_quote")
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Another content for a draft, or for a quote on hold."""
    quote = _quote(pk)
    if quote.stage not in CHANGEABLE:
        was = quote.get_stage_display().lower()
        messages.error(request, f"{quote} is {was}. Make it a draft again, or copy it.")
        return redirect("staff:quote", pk=pk)
    return _write(request, quote, actions.offer_of(quote, valid_until=quote.valid_until))


@staff_page("quotes.view_quote")
def pdf(request: HttpRequest, pk: int) -> HttpResponse:
    """The quote as it is printed."""
    quote = _quote(pk)
    headers = {"Content-Disposition": f'inline; filename="{quote.number}.pdf"'}
    return HttpResponse(quote_pdf(quote), content_type="application/pdf", headers=headers)


@staff_page("quotes.add_quote")
def deliver(request: HttpRequest, pk: int) -> HttpResponse:
    """Mail it, after the person pressed the button on its page."""
    if request.method == "POST":
        try:
            quote = quotes.deliver(pk, at=now(), actor=member(request))
        except PortalError as error:
            messages.error(request, str(error))
        else:
            to = actions.buyer_of(quote).email
            messages.success(request, f"Quote {quote} is on its way to {to}.")
    return redirect("staff:quote", pk=pk)


@staff_page("quotes.add_quote")
def duplicate(request: HttpRequest, pk: int) -> HttpResponse:
    """A new draft that offers the same."""
    if request.method != "POST":
        return redirect("staff:quote", pk=pk)
    original = _quote(pk)
    copy = actions.duplicate(pk, valid_until=_today() + VALID_FOR, at=now(), actor=member(request))
    messages.success(request, f"This is a copy of {original}, with a number of its own.")
    return redirect("staff:quote", pk=copy.pk)


@staff_page("quotes.add_quote")
def move(request: HttpRequest, pk: int) -> HttpResponse:
    """Another stage, with the reason."""
    quote = _quote(pk)
    form = StageForm(request.POST or None, quote=quote)
    if request.method == "POST" and form.is_valid():
        to = Stage(form.cleaned_data["stage"])
        reason = form.cleaned_data["reason"]
        try:
            actions.move_by_hand(pk, to, reason=reason, at=now(), actor=member(request))
        except PortalError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"Quote {quote} is {to.label.lower()} now.")
            return redirect("staff:quote", pk=pk)
    context = {"quote": quote, "form": form}
    return show(
        request, "staff/move_quote.html", title="Stage", crumbs=crumbs(quote), context=context
    )


@staff_page("quotes.add_quote", "invoices.add_invoice")
def convert(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask, then invoice the deposit, or all that is left."""
    quote = _quote(pk)
    is_deposit = request.GET.get("part") == "deposit"
    if request.method == "POST":
        try:
            invoice = quotes.convert(pk, deposit=is_deposit, at=now(), actor=member(request))
        except PortalError as error:
            messages.error(request, str(error))
            return redirect("staff:quote", pk=pk)
        messages.success(request, f"{invoice.document} {invoice} is issued and mailed.")
        return redirect("staff:invoice", pk=invoice.pk)
    context = {"quote": quote, "is_deposit": is_deposit, "bills": queries.invoices_of(quote)}
    return show(
        request, "staff/convert_quote.html", title="Invoice", crumbs=crumbs(quote), context=context
    )


def _write(request: HttpRequest, quote: Quote | None, offer: Offer) -> HttpResponse:
    """The form of a quote: more rows, a preview with tax, or saving it."""
    kind = QuoteForm if offer.client else ProspectQuoteForm
    form = kind(request.POST or None, initial=_initial(offer))
    currency = offer.client.currency if offer.client else settings.DEFAULT_CURRENCY
    rows = lines_form(
        request, QuoteLineForm, initial=[_row(line, currency) for line in offer.lines]
    )
    preview: DraftInvoice | None = None
    is_sent = request.method == "POST" and "more" not in request.POST
    if is_sent and form.is_valid() and rows.is_valid():
        typed = _offer(offer.client, form.cleaned_data, rows)
        try:
            if "preview" not in request.POST:
                saved = _save(quote, typed, request)
                return redirect("staff:quote", pk=saved.pk)
            preview = actions.compose(typed, on=_today())
        except PortalError as error:
            form.add_error(None, str(error))
    return show(
        request,
        "staff/quote_form.html",
        title="Change" if quote else "New quote",
        crumbs=crumbs(quote),
        context={
            "quote": quote,
            "client": offer.client,
            "currency": currency,
            "form": form,
            "lines": rows,
            "draft": preview,
        },
    )


def _save(quote: Quote | None, offer: Offer, request: HttpRequest) -> Quote:
    actor = member(request)
    if quote is None:
        saved = actions.write(offer, at=now(), actor=actor)
    else:
        saved = actions.rewrite(quote.pk, offer, at=now(), actor=actor)
    messages.success(request, "Saved as a draft. Mail it when it is right.")
    return saved


def _offer(client: Client | None, cleaned: Mapping[str, Any], rows: Lines) -> Offer:
    names = ("description", "quantity", "unit_price", "discount_percent", "taxable")
    prospect = None if client else {name: cleaned[name] for name in PROSPECT}
    return Offer(
        client=client,
        prospect=prospect,
        lines=[OfferLine(**{name: row[name] for name in names}) for row in rows.rows()],
        **{name: value for name, value in cleaned.items() if name not in PROSPECT},
    )


def _initial(offer: Offer) -> dict[str, Any]:
    return {
        "subject": offer.subject,
        "valid_until": offer.valid_until,
        "deposit_percent": f"{offer.deposit_percent.normalize():f}",
        "proposal": offer.proposal,
        "customer_notes": offer.customer_notes,
        "staff_notes": offer.staff_notes,
        "country": settings.SELLER_COUNTRY,
        **(offer.prospect or {}),
    }


def _row(line: OfferLine, currency: str) -> Mapping[str, Any]:
    rounded = round_money(line.unit_price, currency)
    return {
        "description": line.description,
        "quantity": f"{line.quantity.normalize():f}",
        "unit_price": rounded if rounded == line.unit_price else line.unit_price.normalize(),
        "discount_percent": f"{line.discount_percent.normalize():f}",
        "taxable": line.taxable,
    }


def _quote(pk: int) -> Quote:
    return get_object_or_404(Quote.objects.select_related("client"), pk=pk)


def _today() -> date:
    return local_date(now(), settings.SELLER_TIMEZONE)
