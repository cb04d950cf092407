"""Celery's side of taxes."""

from functools import partial

from celery import shared_task
from django.db import transaction

from billing_portal.clock.reading import now
from billing_portal.taxes import actions


@shared_task(acks_late=True, ignore_result=True)
def check_tax_id(*, client_id: int) -> None:
    """Look a client's VAT id up.  Harmless if delivered twice: a fresh answer is kept."""
    actions.ask_register(client_id, at=now())


def check_on_commit(client_id: int) -> None:
    """Have the client's VAT id looked up once the caller's transaction stands.

    A message that is lost is made good by the daily run.
    """
    transaction.on_commit(partial(check_tax_id.delay, client_id=client_id))
