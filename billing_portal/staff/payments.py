"""A payment's page: what became of the money, and sending or taking it back."""

from decimal import Decimal

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from billing_portal.audit.queries import history_of
from billing_portal.calc.money import round_money
from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from billing_portal.payments import actions
from billing_portal.payments.models import Refund, Transaction
from billing_portal.staff.forms import ReasonForm
from billing_portal.staff.money_forms import RefundForm
from billing_portal.staff.page import Crumb, member, show, staff_page
from billing_portal.workflows import refunds, reversals


def crumbs(payment: Transaction | None = None) -> tuple[Crumb, ...]:
    path = [Crumb("Payments", reverse("admin:payments_transaction_changelist"))]
    if payment:
        path.append(Crumb(payment.external_id, reverse("staff:payment", args=[payment.pk])))
    return tuple(path)


@staff_page("payments.view_transaction")
def page(request: HttpRequest, pk: int) -> HttpResponse:
    """Which invoices it paid, what became credit, and what went back."""
    payment = _payment(pk)
    context = {
        "payment": payment,
        "allocations": payment.allocations.select_related("invoice"),
        "entries": payment.credit_entries.order_by("pk"),
        "refunds": payment.refunds.order_by("pk"),
        "left": _refundable(payment),
        "history": history_of(payment),
    }
    title = f"Payment {payment.external_id}"
    return show(request, "staff/payment_page.html", title=title, crumbs=crumbs(), context=context)


@staff_page("payments.add_refund")
def refund(request: HttpRequest, pk: int) -> HttpResponse:
    """Send back what the client has in credit, through the gateway or outside."""
    payment = _payment(pk)
    left = _refundable(payment)
    ways = [Refund.Way.OUTSIDE]
    if refunds.can_refund(payment.gateway):
        ways.insert(0, Refund.Way.GATEWAY)
    form = RefundForm(
        request.POST or None,
        currency=payment.currency,
        ways=ways,
        initial={"amount": round_money(left, payment.currency)},
    )
    if request.method == "POST" and form.is_valid():
        try:
            made = refunds.refund_payment(
                pk,
                form.cleaned_data["amount"],
                way=Refund.Way(form.cleaned_data["way"]),
                reason=form.cleaned_data["reason"],
                request_key=form.cleaned_data["key"],
                at=now(),
                actor=member(request),
            )
        except PortalError as error:
            form.add_error(None, str(error))
        else:
            say_what_became(request, made)
            return redirect("staff:payment", pk=pk)
    context = {"payment": payment, "form": form, "left": left}
    return show(
        request, "staff/refund.html", title="Refund", crumbs=crumbs(payment), context=context
    )


@staff_page("payments.add_refund")
def ask_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask the gateway once more for a refund that got no answer."""
    made = get_object_or_404(Refund, pk=pk)
    if request.method == "POST":
        say_what_became(request, refunds.ask_again(pk, at=now()))
    return redirect("staff:payment", pk=made.transaction_id)


@staff_page("payments.change_transaction")
def take_back(request: HttpRequest, pk: int) -> HttpResponse:
    """The payer's bank took the payment back: what it paid is owed again."""
    payment = _payment(pk)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        reversals.reverse_payment(
            payment.gateway,
            payment.external_id,
            reason=form.cleaned_data["reason"],
            at=now(),
            actor=member(request),
        )
        messages.success(request, "Taken back. What it paid is owed again, in collections.")
        return redirect("staff:payment", pk=pk)
    context = {"payment": payment, "form": form}
    return show(
        request, "staff/take_back.html", title="Taken back", crumbs=crumbs(payment), context=context
    )


@staff_page("payments.change_transaction")
def looked_at(request: HttpRequest, pk: int) -> HttpResponse:
    """What stood out about the payment is dealt with."""
    if request.method == "POST":
        actions.note_looked_at(pk, at=now(), actor=member(request))
        messages.success(request, "Noted. The payment is off the list of things to look at.")
    return redirect("staff:payment", pk=pk)


def say_what_became(request: HttpRequest, made: Refund) -> None:
    """The outcome of a refund, in a sentence."""
    if made.state == Refund.State.FAILED:
        messages.error(request, f"Refused: {made.message} The amount is the client's credit.")
    elif made.state == Refund.State.UNDER_WAY:
        messages.warning(request, "The gateway gave no answer. Ask again on the payment's page.")
    elif made.way == Refund.Way.CREDIT:
        messages.success(request, "Done. The amount is the client's credit.")
    else:
        messages.success(request, "Refunded. The client is told by mail.")


def _payment(pk: int) -> Transaction:
    return get_object_or_404(Transaction.objects.select_related("client"), pk=pk)


def _refundable(payment: Transaction) -> Decimal:
    """What may go back: what is left of it, and no more than the client's credit."""
    if payment.reversed_at:
        return Decimal(0)
    return min(payment.amount - payment.refunded_amount, payment.client.credit_balance)
