"""Handing queued mails to the transport, each by one worker.

A mail's own `scheduled_time` is its lease: whoever moves it into the future by one
conditional UPDATE delivers the mail.  Delivery is of this world, so it reads the real
clock even while a simulation runs.
"""

import logging
from datetime import timedelta

from django.db.models import F, Q, QuerySet
from django.utils import timezone
from post_office.models import STATUS, Email

from billing_portal.mail.papers import attach_papers

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)
RETRY_AFTER = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))
WAITING = (STATUS.queued, STATUS.requeued)


def deliver_queued(limit: int = 500) -> int:
    """Deliver up to `limit` waiting mails, oldest first; how many went out."""
    waiting = _due().order_by("pk").values_list("pk", flat=True)[:limit]
    return sum(_deliver(email_id) for email_id in list(waiting))


def _due() -> QuerySet[Email]:
    at = timezone.now()
    unleased = Q(scheduled_time__isnull=True) | Q(scheduled_time__lte=at)
    waiting: QuerySet[Email] = Email.objects.filter(unleased, status__in=WAITING)
    return waiting


def _deliver(email_id: int) -> bool:
    """Send one mail unless another worker holds it.  A failure is tried again later."""
    if not _due().filter(pk=email_id).update(scheduled_time=timezone.now() + LEASE):
        return False
    email = Email.objects.get(pk=email_id)
    attach_papers(email)
    if email.dispatch(log_level=2) == STATUS.sent:
        return True
    _try_later(email)
    return False


def _try_later(email: Email) -> None:
    tries = email.number_of_retries or 0
    if tries >= len(RETRY_AFTER):
        logger.error("mail %s given up after %s tries", email.pk, tries + 1)
        return
    Email.objects.filter(pk=email.pk).update(
        status=STATUS.requeued,
        scheduled_time=timezone.now() + RETRY_AFTER[tries],
        number_of_retries=F("number_of_retries") + 1 if tries else 1,
    )
