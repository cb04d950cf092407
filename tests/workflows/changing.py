"""Services that may become something else, asking for it, paying it, and the work."""

from datetime import date, timedelta
from decimal import Decimal

from billing_portal.mail.models import ClientMail
from billing_portal.services.models import Service
from billing_portal.workflows import apply_change, change_product
from billing_portal.workflows.change_terms import ChangeWish
from billing_portal.workflows.invoice_paid import record_payment
from provisioning import runner
from tests.factories import make_placement, make_product, make_service, utc

AT = utc(2026, 4, 16, 12)
"""15 of 30 days before the first of May."""
HOUR = timedelta(hours=1)


def make_running(vendor, *targets, recurring="30.00", module_key="fake", **fields):
    """Monthly, paid until 1 May, standing at the vendor with size 5."""
    product = make_product(module_key=module_key, recurring=recurring, name="Small")
    product.upgrades_to.set(targets)
    values = {"anchor_date": date(2026, 1, 1), "billed_until": date(2026, 5, 1)} | fields
    service = make_service(product=product, recurring=recurring, **values)
    if module_key:
        account = vendor.add(f"fake-service{service.pk}")
        make_placement(service, remote_id=account.remote_id)
    return service


def wish(product, cycle="monthly", size=5, **more):
    return ChangeWish(product.pk, cycle, answers={"size": size}, **more)


def preview(service, wanted, at=AT):
    return change_product.preview(service.pk, wanted, at=at)


def request(service, wanted, *, key="k", at=AT, total=None):
    shown = preview(service, wanted, at=at).total if total is None else Decimal(total)
    return change_product.request(
        service.pk, wanted, shown_total=shown, request_key=key, at=at, actor=None
    )


def pay(invoice, at=AT):
    record_payment(
        invoice_id=invoice.pk,
        gateway="bank_transfer",
        external_id=f"ref-{invoice.pk}",
        amount=invoice.total,
        currency=invoice.currency,
        received_at=at,
        at=at,
    )


def work(at=AT):
    """The workers, and then the tick's look at what they did."""
    for job_id in runner.due_jobs(at=at):
        runner.run(job_id, at=at)
    apply_change.go_on_all(at)


def row(service):
    return Service.objects.select_related("product").get(pk=service.pk)


def terms(service):
    now = row(service)
    return (
        now.product.name,
        now.cycle,
        f"{now.recurring_amount:.2f}",
        str(now.anchor_date),
        str(now.billed_until),
    )


def status(change):
    change.refresh_from_db()
    return change.status


def mails():
    return list(ClientMail.objects.order_by("pk").values_list("template", flat=True))
