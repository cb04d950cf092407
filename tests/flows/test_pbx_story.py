"""A client buys a PBX, its people call, and the invoice lists what that cost."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from billing_portal.clock.setting import set_clock
from billing_portal.services.models import Service
from billing_portal.workflows import bill_run
from pbx import calls
from pbx.agent.sandbox_calls import CallSpec
from pbx.models import Call
from pbx.sandbox_control import SandboxControl
from provisioning.models import Server
from tests.flows.browser import Person
from tests.flows.conftest import HOUR, START
from tests.flows.jobs import ring, wait_for_a_waiting_job

pytestmark = [pytest.mark.sends_tasks, pytest.mark.django_db(transaction=True)]

CHECKOUT = (
    "/order/cloud-pbx-10/checkout/?cycle=monthly&spec-label=Nora%27s+Bakery&spec-extensions=3"
)
MONTH_CLOSED = START + timedelta(hours=722)
HAMBURG, MOBILE, PREMIUM, NOWHERE = "494055501000", "4915155501000", "4990055501000", "99955501000"


def order_and_pay(person: Person) -> None:
    person.open(CHECKOUT)
    person.submit("submission_key", payment_method="test")
    person.submit("pay", pay="yes")


def call(sandbox: SandboxControl, service: Service, *specs: CallSpec) -> None:
    """These calls happen, and the portal collects them at the end of the day."""
    sandbox.make_calls(service.placement.remote_id, specs)
    day_end = max(spec.started_at for spec in specs) + 12 * HOUR
    sandbox.set_clock(day_end)
    calls.import_since(Server.objects.get(module_key="fusionpbx").pk, at=day_end)


def outbound(destination: str, billsec: int, *, hour: int = 9) -> CallSpec:
    return CallSpec("1001", destination, START + hour * HOUR, billsec=billsec)


def test_every_answered_call_is_billed_by_its_prefix_beside_the_next_month(
    person: Person,
    worker: None,
    pbx_sandbox: SandboxControl,
    wait_for_active: Callable[[], Service],
):
    order_and_pay(person)
    service = wait_for_active()
    call(
        pbx_sandbox,
        service,
        outbound(HAMBURG, 125),  # 0.0090 x 125 / 60 = 0.018750
        outbound(MOBILE, 35),  # 60 s at least: 0.0890
        outbound(PREMIUM, 61),  # 120 s: 3.98, and 0.25 for the connection
        outbound(HAMBURG, 0),  # nobody answered
        outbound(NOWHERE, 60),  # no prefix: unrated, never 0.00
        CallSpec("1002", "1001", START + 10 * HOUR, billsec=300, direction="local"),
    )

    [invoice] = bill_run.bill_all(MONTH_CLOSED).issued

    assert [(line.kind, line.amount) for line in invoice.lines.all()] == [
        ("recurring", Decimal("19.00")),
        ("usage", Decimal("4.34")),
    ]
    usage = invoice.lines.get(kind="usage").charge
    assert (usage.evidence["calls"], usage.evidence["unrated_calls"]) == (3, 1)
    assert Decimal(usage.evidence["amount"]) == Decimal("4.337750")
    assert invoice.total == Decimal("23.34")
    page = re.sub(r"\s+", " ", person.open(f"/invoices/{invoice.pk}/"))
    for shown in ("€23.34", "Germany premium", "Germany Hamburg"):
        assert shown in page


def test_a_late_call_is_on_the_next_invoice_by_itself(
    person: Person,
    worker: None,
    pbx_sandbox: SandboxControl,
    wait_for_active: Callable[[], Service],
):
    order_and_pay(person)
    service = wait_for_active()
    call(pbx_sandbox, service, outbound(PREMIUM, 60))
    bill_run.bill_all(MONTH_CLOSED)
    call(
        pbx_sandbox,
        service,
        CallSpec(
            "1001",
            PREMIUM,
            START + 20 * HOUR,
            billsec=60,
            insert_date=MONTH_CLOSED + HOUR,
        ),
        CallSpec("1001", PREMIUM, MONTH_CLOSED + 30 * HOUR, billsec=60),
    )

    [invoice] = bill_run.bill_all(MONTH_CLOSED + timedelta(days=31)).issued

    [line] = invoice.lines.filter(kind="usage")
    assert line.amount == Decimal("4.48")  # twice 1.99 + 0.25
    assert line.charge.evidence["late_calls"] == 1
    assert Call.objects.filter(charge__isnull=True, rating="rated").count() == 0


def test_extensions_with_secrets_exist_on_the_pbx_and_stay_off_the_page(
    person: Person,
    worker: None,
    pbx_sandbox: SandboxControl,
    wait_for_active: Callable[[], Service],
):
    order_and_pay(person)

    service = wait_for_active()

    assert service.placement.remote_name == f"nora-s-bakery-{service.pk}.pbx.example"
    extensions = service.placement.credentials["extensions"]
    assert [extension["number"] for extension in extensions] == ["1001", "1002", "1003"]
    page = person.open(f"/services/{service.pk}/")
    for extension in extensions:
        assert extension["number"] in page
        assert extension["password"] not in page


def test_a_pbx_that_is_down_makes_the_job_wait_and_nothing_is_lost(
    person: Person,
    worker: None,
    pbx_sandbox: SandboxControl,
    wait_for_active: Callable[[], Service],
):
    pbx_sandbox.fault("503", times=1)
    order_and_pay(person)
    job = wait_for_a_waiting_job()
    set_clock(job.due_at + timedelta(seconds=31))

    ring()

    assert wait_for_active().jobs.get().attempts == 2
