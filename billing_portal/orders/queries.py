"""Reading orders."""

from enum import StrEnum

from django.db.models import QuerySet

from billing_portal.orders.models import Order
from billing_portal.services.models import Service
from billing_portal.services.states import ENDED, ServiceStatus
from provisioning.models import Job


class Step(StrEnum):
    """Where an ordered service stands, in the order a client lives through it."""

    PAYMENT = "payment"
    REVIEW = "review"
    SETTING_UP = "setting up"
    DELAYED = "delayed"
    READY = "ready"
    ENDED = "ended"


def orders_of(client_id: int) -> QuerySet[Order]:
    """A client's orders, newest first."""
    return Order.objects.filter(client_id=client_id).select_related("invoice")


def services_of(order: Order) -> list[Service]:
    """The services an order asked for, in its order."""
    return list(
        Service.objects.filter(order_item__order=order)
        .select_related("product")
        .prefetch_related("jobs")
        .order_by("order_item__pk")
    )


def step_of(order: Order, service: Service) -> Step:
    """What an ordered service is waiting for.

    DELAYED means that a job failed or is being retried: staff see why.
    """
    if service.status in ENDED:
        return Step.ENDED
    if service.status != ServiceStatus.PENDING:
        return Step.READY
    jobs = list(service.jobs.all())
    if jobs:
        return Step.DELAYED if _is_troubled(jobs[-1]) else Step.SETTING_UP
    if order.invoice and order.invoice.is_owed:
        return Step.PAYMENT
    return Step.REVIEW


def _is_troubled(job: Job) -> bool:
    """Whether an attempt at the job has come to nothing."""
    first_attempt = 1 if job.status == Job.Status.RUNNING else 0
    return job.status == Job.Status.FAILED or job.attempts > first_attempt
