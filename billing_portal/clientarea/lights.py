"""State lights: a tone, an icon and a word for whatever has a state.

The tone chooses the colour, but the word says it all.  Red is for what failed or is
overdue, never for what is merely unpaid.
"""

from dataclasses import dataclass
from datetime import date

from billing_portal.invoices.models import Invoice, InvoiceStatus
from billing_portal.payments.models import StoredMethod
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from provisioning.models import Job

ICONS = {
    "active": "check",
    "waiting": "clock",
    "suspended": "pause",
    "failed": "alert",
    "ended": "stop",
    "info": "info",
}


@dataclass(frozen=True, slots=True)
class Light:
    tone: str
    word: str

    @property
    def icon(self) -> str:
        return ICONS[self.tone]


SERVICE_LIGHTS = {
    ServiceStatus.PENDING: Light("waiting", "Waiting"),
    ServiceStatus.ACTIVE: Light("active", "Active"),
    ServiceStatus.SUSPENDED: Light("suspended", "Suspended"),
    ServiceStatus.TERMINATED: Light("ended", "Ended"),
    ServiceStatus.CANCELLED: Light("ended", "Cancelled"),
    ServiceStatus.COMPLETED: Light("ended", "Completed"),
    ServiceStatus.FRAUD: Light("suspended", "On hold"),
}


def service_light(service: Service, job: Job | None) -> Light:
    """A service's state; a pending one with a job is being set up.

    A failed job shows as "delayed": the seller has to act, not the client.
    """
    if service.status == ServiceStatus.PENDING and job is not None:
        if job.status in Job.OPEN:
            return Light("info", "Being set up")
        if job.status == Job.Status.FAILED:
            return Light("suspended", "Delayed")
    return SERVICE_LIGHTS[ServiceStatus(service.status)]


INVOICE_LIGHTS = {
    InvoiceStatus.PENDING: Light("waiting", "Payment under way"),
    InvoiceStatus.PAID: Light("active", "Paid"),
    InvoiceStatus.REFUNDED: Light("ended", "Refunded"),
    InvoiceStatus.CANCELLED: Light("ended", "Cancelled"),
}
"""States that say it all; the others depend on the day."""


def invoice_light(invoice: Invoice, today: date) -> Light:
    """Unpaid, overdue (from the day after the due date), or what its state says."""
    if invoice.status in INVOICE_LIGHTS:
        return INVOICE_LIGHTS[InvoiceStatus(invoice.status)]
    if invoice.due_date < today:
        return Light("failed", "Overdue")
    return Light("info", "Partly paid" if invoice.paid_amount else "Unpaid")


METHOD_LIGHTS = {
    StoredMethod.Status.EXPIRED: Light("ended", "Expired"),
    StoredMethod.Status.REFUSED: Light("failed", "Refused by the bank"),
    StoredMethod.Status.REMOVED: Light("ended", "Removed"),
}


def method_light(method: StoredMethod, today: date) -> Light:
    """A payment method's state; one whose last day is over has expired, noted or not."""
    if method.expires_on and method.expires_on <= today:
        return METHOD_LIGHTS[StoredMethod.Status.EXPIRED]
    known = METHOD_LIGHTS.get(StoredMethod.Status(method.status))
    return known or (Light("active", "Default") if method.is_default else Light("info", "Usable"))
