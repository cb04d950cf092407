"""Quotes on their way: mailed, accepted or declined, and turned into invoices."""

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.calc.invoice import DraftLine, manual_line
from billing_portal.calc.money import exact, round_money
from billing_portal.calc.periods import local_date
from billing_portal.clients.models import Client
from billing_portal.clients.notices import notify
from billing_portal.invoices import drafting
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import Invoice
from billing_portal.mail import actions as mail
from billing_portal.quotes import actions, queries
from billing_portal.quotes.actions import QuoteRefused
from billing_portal.quotes.models import Quote
from billing_portal.quotes.states import Stage
from billing_portal.workflows import issuing


def deliver(quote_id: int, *, at: datetime, actor: User | None) -> Quote:
    """Mail a quote to whom it is for, with a link to it.  A delivered one is mailed again."""
    with transaction.atomic():
        quote = actions.locked(quote_id)
        if quote.valid_until < local_date(at, settings.SELLER_TIMEZONE):
            raise QuoteRefused(f"Quote {quote} has expired. Give it a later last day first.")
        if quote.stage != Stage.DELIVERED:
            actions.move(quote, Stage.DELIVERED, reason="mailed", at=at, actor=actor)
        context = _context(quote)
        key = f"{quote.pk}:{at.isoformat()}"
        if quote.client:
            context["path"] = f"/quotes/{quote.pk}/"
            notify(quote.client, "quote_delivered", key=key, context=context, at=at)
        else:
            context |= {
                "path": f"/quotes/key/{quote.access_key}/",
                "client": str(actions.buyer_of(quote)).strip(),
            }
            to = quote.prospect["email"]
            mail.send("quote_delivered", to=to, key=key, context=context, at=at)
        return quote


def accept(quote_id: int, *, by: str, at: datetime, actor: User | None) -> Quote:
    """Those it is for accept it: staff are told, and a client's deposit is invoiced.

    Raises QuoteRefused if it expired or is decided already.
    """
    with transaction.atomic():
        client = _lock_client(quote_id)
        quote = actions.accept(quote_id, by=by, at=at, actor=actor)
        _tell_staff(quote, f"accepted by {by}", at=at)
        if client and quote.deposit_percent:
            _invoice(quote, client, deposit=True, at=at, actor=actor)
        return quote


def decline(quote_id: int, *, by: str, reason: str, at: datetime, actor: User | None) -> Quote:
    """Those it is for decline it: staff are told, with the reason if they gave one."""
    with transaction.atomic():
        quote = actions.decline(quote_id, by=by, reason=reason, at=at, actor=actor)
        _tell_staff(quote, f"declined by {by}. {reason}".strip(), at=at)
        return quote


def join(quote_id: int, client: Client, *, at: datetime, actor: User | None) -> Quote:
    """The prospect who accepted has become a client; the deposit is invoiced now."""
    with transaction.atomic():
        owner = Client.objects.select_for_update(no_key=True).get(pk=client.pk)
        quote = actions.locked(quote_id)
        if quote.client_id == client.pk:
            return quote
        if quote.stage != Stage.ACCEPTED:
            raise QuoteRefused(f"Quote {quote} was not accepted.")
        actions.hand_to(quote, owner, at=at, actor=actor)
        if quote.deposit_percent:
            _invoice(quote, owner, deposit=True, at=at, actor=actor)
        return quote


def convert(quote_id: int, *, deposit: bool, at: datetime, actor: User | None) -> Invoice:
    """Invoice the deposit of an accepted quote, or all that is not invoiced of it yet.

    Raises QuoteRefused if nothing is left, or there is no client to invoice.
    """
    with transaction.atomic():
        client = _lock_client(quote_id)
        quote = actions.locked(quote_id)
        if quote.stage != Stage.ACCEPTED:
            raise QuoteRefused(f"{quote} is {quote.get_stage_display().lower()}, not accepted.")
        if client is None:
            raise QuoteRefused(f"{quote} has no client yet: the prospect has not signed up.")
        return _invoice(quote, client, deposit=deposit, at=at, actor=actor)


def _invoice(
    quote: Quote, client: Client, *, deposit: bool, at: datetime, actor: User | None
) -> Invoice:
    today = local_date(at, settings.SELLER_TIMEZONE)
    before = queries.invoices_of(quote)
    if deposit and before:
        raise QuoteRefused(f"{quote} was invoiced already with {before[0]}.")
    if deposit and not quote.deposit_percent:
        raise QuoteRefused(f"{quote} asks for no deposit.")
    lines = _deposit(quote, today) if deposit else _rest(quote, before, today)
    if not sum((line.amount for line in lines), Decimal(0)) > 0:
        raise QuoteRefused(f"All of {quote} is invoiced already.")
    draft = replace(
        drafting.taxed(client, lines, on=today, due_date=None), notes=f"Quote {quote.number}"
    )
    invoice = issuing.issue(client, draft, at=at, actor=actor)
    quote.invoices.add(invoice)
    return invoice


def _deposit(quote: Quote, on: date) -> list[DraftLine]:
    """A line for what is taxed and one for what is not: 30 % of 1,000.00 are 300.00."""
    percent = exact(quote.deposit_percent) / 100
    shown = f"{quote.deposit_percent.normalize():f}"
    sums: dict[bool, Decimal] = {}
    for line in quote.lines.all():
        sums[line.taxable] = sums.get(line.taxable, Decimal(0)) + line.amount
    return [
        _line(f"Deposit of {shown} % for quote {quote.number}", amount, taxable, quote, on)
        for taxable, total in sorted(sums.items(), reverse=True)
        if (amount := round_money(exact(total) * percent, quote.currency))
    ]


def _rest(quote: Quote, before: list[Invoice], on: date) -> list[DraftLine]:
    """Every position, less what is invoiced already."""
    lines = [
        replace(
            manual_line(
                _with_discount(line.description, line.discount_percent),
                quantity=line.quantity,
                unit_price=line.unit_price,
                discount_percent=line.discount_percent,
                currency=quote.currency,
                on=on,
                taxable=line.taxable,
            ),
            unit_price=None if line.discount_percent else line.unit_price,
        )
        for line in quote.lines.order_by("position")
    ]
    for invoice in before:
        for taxable in (True, False):
            rows = invoice.lines.filter(taxable=taxable).values_list("amount", flat=True)
            if billed := sum(rows, Decimal(0)):
                lines.append(_line(f"Invoiced with {invoice}", -billed, taxable, quote, on))
    return lines


def _line(text: str, amount: Decimal, taxable: bool, quote: Quote, on: date) -> DraftLine:
    return manual_line(
        text,
        quantity=Decimal(1),
        unit_price=amount,
        currency=quote.currency,
        on=on,
        taxable=taxable,
    )


def _with_discount(description: str, percent: Decimal) -> str:
    return f"{description}, less {percent.normalize():f} %" if percent else description


def _lock_client(quote_id: int) -> Client | None:
    """The client before the quote and its invoices, in the order locks are taken."""
    rows = Client.objects.select_for_update(of=("self",), no_key=True)
    return rows.filter(quotes=quote_id).first()


def _context(quote: Quote) -> dict[str, str]:
    return {
        "number": quote.number,
        "subject": quote.subject,
        "total": format_amount(quote.total, quote.currency),
        "valid_until": quote.valid_until.isoformat(),
    }


def _tell_staff(quote: Quote, outcome: str, *, at: datetime) -> None:
    who = str(quote.client or actions.buyer_of(quote)).strip()
    context = _context(quote) | {
        "client": who,
        "outcome": outcome,
        "path": f"/staff/quotes/{quote.pk}/",
    }
    mail.send(
        "quote_decided_staff",
        to=settings.SELLER_EMAIL,
        key=str(quote.pk),
        context=context,
        at=at,
        client_id=quote.client_id,
    )
