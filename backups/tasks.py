"""Celery's side of recording sizes."""

from typing import Any

from celery import shared_task

from backups import graphs, queries, sizes
from backups.client import GraphRange
from billing_portal.clock.reading import now
from provisioning.contract import RemoteUnavailable

RETRY_S = 120
RETRIES = 5
"""All tries fall before the next hour's, which would be the next chance anyway."""


@shared_task(acks_late=True, ignore_result=True)
def record_all_sizes() -> None:
    """Queue one look at each account, so that one that is down delays no other."""
    for server in queries.accounts():
        record_sizes.delay(server_id=server.pk)


@shared_task(acks_late=True, ignore_result=True, bind=True, max_retries=RETRIES)
def record_sizes(self: Any, *, server_id: int) -> None:
    """Record what stands in one account.  Harmless if delivered twice.

    Tried again for some minutes if the vendor does not answer.
    """
    try:
        sizes.record_server(server_id, at=now())
    except RemoteUnavailable as error:
        raise self.retry(exc=error, countdown=error.retry_after_s or RETRY_S) from error


@shared_task(acks_late=True, ignore_result=True)
def refresh_graph(*, datastore_id: int, reach: str) -> None:
    """Ask the vendor for one use graph because a page shows an old one."""
    graphs.refresh(datastore_id, GraphRange(reach), at=now())
