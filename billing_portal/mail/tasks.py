"""Celery's side of mail."""

from celery import shared_task

from billing_portal.mail import delivery


@shared_task(acks_late=True, ignore_result=True)
def send_queued_mail() -> None:
    """Deliver what waits.  Two of these at once still send each mail once."""
    delivery.deliver_queued()
