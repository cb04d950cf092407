"""The life of a service: which state may follow which.  The whole truth is this table."""

from django.db import models


class ServiceStatus(models.TextChoices):
    PENDING = "pending", "Pending"
    ACTIVE = "active", "Active"
    SUSPENDED = "suspended", "Suspended"
    TERMINATED = "terminated", "Terminated"
    CANCELLED = "cancelled", "Cancelled"
    COMPLETED = "completed", "Completed"
    FRAUD = "fraud", "Fraud"


class SuspensionCause(models.TextChoices):
    """Who wanted a service suspended.  Only what an overdue invoice caused, payment lifts."""

    OVERDUE = "overdue", "Overdue invoice"
    STAFF = "staff", "Staff"
    OTHER = "other", "Other"


TRANSITIONS: dict[ServiceStatus, frozenset[ServiceStatus]] = {
    ServiceStatus.PENDING: frozenset(
        {ServiceStatus.ACTIVE, ServiceStatus.CANCELLED, ServiceStatus.FRAUD}
    ),
    ServiceStatus.ACTIVE: frozenset(
        {
            ServiceStatus.SUSPENDED,
            ServiceStatus.TERMINATED,
            ServiceStatus.CANCELLED,
            ServiceStatus.COMPLETED,
        }
    ),
    ServiceStatus.SUSPENDED: frozenset(
        {ServiceStatus.ACTIVE, ServiceStatus.TERMINATED, ServiceStatus.CANCELLED}
    ),
    ServiceStatus.TERMINATED: frozenset(),
    # Its client may keep it after all, as long as its data is there.
    ServiceStatus.CANCELLED: frozenset({ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED}),
    ServiceStatus.COMPLETED: frozenset({ServiceStatus.TERMINATED}),
    ServiceStatus.FRAUD: frozenset({ServiceStatus.PENDING}),
}

ENDED = frozenset(
    {
        ServiceStatus.TERMINATED,
        ServiceStatus.CANCELLED,
        ServiceStatus.COMPLETED,
        ServiceStatus.FRAUD,
    }
)
"""States in which nothing new is billed in advance."""
