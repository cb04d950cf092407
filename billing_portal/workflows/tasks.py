"""Celery's side of the workflows."""

from celery import shared_task
from django.conf import settings

from billing_portal.calc.periods import local_date
from billing_portal.clock.reading import now
from billing_portal.invoices import announcing
from billing_portal.workflows import bill_run as billing
from billing_portal.workflows import captures, daily, exchange_rates, usage_alerts


@shared_task(acks_late=True, ignore_result=True)
def bill_run() -> None:
    """Queue one billing task for every few clients with something due."""
    for client_ids in billing.chunks_due(now()):
        bill_clients.delay(client_ids=client_ids)


@shared_task(acks_late=True, ignore_result=True)
def bill_clients(*, client_ids: list[int]) -> None:
    """Bill some clients.  Harmless if delivered twice; one that fails is parked for staff."""
    billing.bill_chunk(client_ids, now())


@shared_task(acks_late=True, ignore_result=True)
def announce_invoices() -> None:
    """Tell clients of invoices that were issued by a run that died before it told them."""
    announcing.announce_waiting(at=now())


@shared_task(acks_late=True, ignore_result=True)
def tell_usage() -> None:
    """Warn clients who used much of what is included, or of their cap.  Each step once."""
    usage_alerts.tell_all(now())


@shared_task(acks_late=True, ignore_result=True)
def tick() -> None:
    """Do the daily work of every business day that is due and not done."""
    daily.tick(now())


@shared_task(acks_late=True, ignore_result=True)
def update_rates() -> None:
    """Fetch the day's exchange rates.  Harmless if delivered twice."""
    exchange_rates.update(at=now())


@shared_task(acks_late=True, ignore_result=True)
def run_today() -> None:
    """Do today's daily work now, again if it was done."""
    at = now()
    daily.run_day(local_date(at, settings.SELLER_TIMEZONE), at)


@shared_task(acks_late=True, ignore_result=True)
def capture(*, attempt_id: int) -> None:
    """Take one payment.  Harmless if delivered twice: the gateway knows its key."""
    captures.carry_out(attempt_id, at=now())


@shared_task(acks_late=True, ignore_result=True)
def sweep_captures() -> None:
    """Take the payments that a lost task or a lost answer left under way."""
    captures.carry_out_waiting(at=now())
