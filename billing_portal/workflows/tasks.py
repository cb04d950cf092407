"""Celery's side of the workflows."""

from celery import shared_task
from django.conf import settings

from billing_portal.calc.periods import local_date
from billing_portal.clock.reading import now
from billing_portal.workflows import bill_run as billing
from billing_portal.workflows import billing_candidates, daily


@shared_task(acks_late=True, ignore_result=True)
def bill_run() -> None:
    """Queue one billing task per client with something due."""
    for client_id in billing_candidates.clients_due(now()).values_list("pk", flat=True):
        bill_client.delay(client_id=client_id)


@shared_task(acks_late=True, ignore_result=True)
def bill_client(*, client_id: int) -> None:
    """Bill one client.  Harmless if delivered twice; a failure parks the client for staff."""
    billing.bill_or_park(client_id, now())


@shared_task(acks_late=True, ignore_result=True)
def tick() -> None:
    """Do the daily work of every business day that is due and not done."""
    daily.tick(now())


@shared_task(acks_late=True, ignore_result=True)
def run_today() -> None:
    """Do today's daily work now, again if it was done."""
    at = now()
    daily.run_day(local_date(at, settings.SELLER_TIMEZONE), at)
