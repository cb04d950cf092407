"""The steps of a change of a service: its new terms, the vendor's work, its end.

What costs something is the client's as soon as it is paid, and the vendor follows.
"""

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from billing_portal.clients.notices import notify
from billing_portal.errors import PortalError
from billing_portal.invoices import actions as invoices
from billing_portal.invoices import crediting
from billing_portal.invoices.amounts import format_amount
from billing_portal.invoices.models import Invoice
from billing_portal.mail import actions as mail
from billing_portal.orders import changes
from billing_portal.orders.models import ServiceChange
from billing_portal.payments import credit
from billing_portal.products.models import Product
from billing_portal.services import changing
from billing_portal.services.changing import ServiceTerms, terms_of
from billing_portal.services.models import Service
from billing_portal.services.states import ENDED
from billing_portal.workflows import change_code, note_issuing
from provisioning import actions as provisioning
from provisioning import registry
from provisioning.models import Job

Status = changes.Status
TOO_LATE = "Paid after the service was renewed, changed or ended; the amount is credit now."


def invoice_settled(invoice: Invoice, *, at: datetime) -> None:
    """If the invoice asks for the money of a change, begin it.

    In the caller's transaction, which holds the locks of client and invoice.
    """
    change = find(ServiceChange.objects.filter(invoice=invoice, status=Status.PENDING))
    if change is None:
        return
    Service.objects.select_for_update(no_key=True).get(pk=change.service_id)
    service = change.service
    if service.status in ENDED or terms_of(service).as_json() != change.before["terms"]:
        _return_money(change, invoice, at=at)
    else:
        begin_paid(change, at=at)


def begin_paid(change: ServiceChange, *, at: datetime) -> None:
    """Carry out a change nothing is owed for, as far as that goes now; the service is locked."""
    if change.status == Status.PENDING:
        changes.begin(change, at=at)
    set_terms(change, ServiceTerms.read(change.after["terms"]), at=at)
    if vendor_is_done(change, at=at):
        finish(change, at=at)


def vendor_is_done(change: ServiceChange, *, at: datetime) -> bool:
    """Whether the remote object is what it should become; asks for it once."""
    wished = change.after["spec"]
    if wished == change.before["spec"]:
        return True
    job = Job.objects.filter(request_key=job_key(change)).first()
    if job is None:
        job = _ask_vendor(change, at=at)
    if job and job.status == Job.Status.FAILED:
        changes.note_problem(change, job.last_error)  # staff were told of the job
    return job is not None and job.status in (Job.Status.DONE, Job.Status.RESOLVED)


def set_terms(change: ServiceChange, terms: ServiceTerms, *, at: datetime) -> None:
    """Let the service be what the change says."""
    actor = change.requested_by
    if change.after["restarts"]:
        # What was paid in advance of the new first day was credited, and may be billed anew.
        invoices.release_periods(change.service_id, starting=terms.anchor_date)
    changing.set_terms(change.service_id, terms, at=at, actor=actor)
    change.service.refresh_from_db()


def finish(change: ServiceChange, *, at: datetime, given: Decimal = Decimal(0)) -> None:
    """The service is what it was to become; its client is told, and of the credit `given`."""
    changes.close(change, Status.APPLIED, at=at)
    if change.after["usage_prices"]:
        _plan_usage_prices(change)
    _tell(change, given, at=at)


def job_key(change: ServiceChange) -> str:
    """Under which key the vendor is asked for it."""
    return f"change:{change.pk}"


def summary(service: Service) -> str:
    """Product and what it delivers: "Backup S, 500 GB"."""
    key = service.product.module_key
    said = registry.module_class(key).summarise(service.spec) if key and service.spec else ""
    return f"{service.product.name}, {said}" if said else service.product.name


def find(found: QuerySet[ServiceChange]) -> ServiceChange | None:
    """The first of them with all that carrying it out asks for."""
    return found.select_related(
        "service__product", "service__client__group", "service__promotion", "requested_by"
    ).first()


def _ask_vendor(change: ServiceChange, *, at: datetime) -> Job | None:
    product = Product.objects.get(pk=change.after["terms"]["product_id"])
    actor = change.requested_by
    try:
        with transaction.atomic():
            return provisioning.request_resize(
                change.service_id,
                spec=change.after["spec"],
                request_key=job_key(change),
                at=at,
                requested_by=actor.get_full_name() if actor else "",
                product_settings=product.module_settings,
            )
    except PortalError as error:
        _alert(change, str(error), at=at)
        return None


def _return_money(change: ServiceChange, invoice: Invoice, *, at: datetime) -> None:
    """The service was renewed or ended before the money came: its invoice is taken back."""
    change_code.give_back(change)
    changes.close(change, Status.EXPIRED, at=at, problem=TOO_LATE)
    note_issuing.issue(
        credit.locked_client(change.service.client_id),
        invoice,
        crediting.correct_all(invoice),
        reason="the change was no longer possible",
        request_key=f"change:{change.pk}:too_late",
        at=at,
        actor=None,
    )
    _tell_staff(change, TOO_LATE, at=at)


def _plan_usage_prices(change: ServiceChange) -> None:
    service = change.service
    if service.usage_prices.exists():
        change.after["prices_wait"] = True
        change.save(update_fields=["after"])
    else:
        changing.set_usage_prices(service.pk, change.after["usage_prices"])


def _alert(change: ServiceChange, problem: str, *, at: datetime) -> None:
    """Tell staff once that a change does not go on; what was paid stays paid."""
    if changes.note_problem(change, problem):
        _tell_staff(change, problem, at=at)


def _tell(change: ServiceChange, given: Decimal, *, at: datetime) -> None:
    service = change.service
    context = {
        "service": str(service),
        "summary": change.after["summary"],
        "credit": format_amount(given, change.currency) if given else "",
        "path": f"/services/{service.pk}/",
    }
    notify(service.client, "service_changed", key=str(change.pk), context=context, at=at)


def _tell_staff(change: ServiceChange, problem: str, *, at: datetime) -> None:
    service = change.service
    mail.send(
        "change_failed_staff",
        to=settings.SELLER_EMAIL,
        key=f"{change.pk} at {at.isoformat()}",
        context={
            "client": str(service.client),
            "service": str(service),
            "summary": change.after["summary"],
            "problem": problem,
            "path": f"/staff/services/service/{service.pk}/",
        },
        at=at,
    )
