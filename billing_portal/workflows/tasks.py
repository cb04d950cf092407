"""Celery's side of the workflows."""

from celery import shared_task

from billing_portal.clock.reading import now
from billing_portal.workflows import bill_run as billing
from billing_portal.workflows import billing_candidates


@shared_task(acks_late=True, ignore_result=True)
def bill_run() -> None:
    """Queue one billing task per client with something due."""
    for client_id in billing_candidates.clients_due(now()).values_list("pk", flat=True):
        bill_client.delay(client_id=client_id)


@shared_task(acks_late=True, ignore_result=True)
def bill_client(*, client_id: int) -> None:
    """Bill one client.  Harmless if delivered twice; a failure parks the client for staff."""
    billing.bill_or_park(client_id, now())
