"""Days played against the sandboxes, by the same functions that beat calls."""

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from backups.models import SizeSpan
from billing_portal.clock import reading
from billing_portal.clock.setting import ClockIsReal, set_clock
from billing_portal.invoices.models import Invoice
from billing_portal.workflows import demo_cast, simulate
from billing_portal.workflows.sandbox_life import NotASandbox, SandboxLife
from billing_portal.workflows.simulate import Simulation
from pbx.models import Call
from provisioning.models import Server
from tests.flows.conftest import HOUR, START

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)


class Told(list[tuple[datetime, str]]):
    def __call__(self, at: datetime, event: str) -> None:
        self.append((at, event))


@pytest.fixture
def told(shop: None) -> Told:
    return Told()


@pytest.fixture
def simulation(told: Told) -> Simulation:
    """Anna has ordered and paid at midnight."""
    client = demo_cast.enter(demo_cast.ANNA, at=START)
    order = demo_cast.order(demo_cast.ANNA, client, at=START)
    assert order.invoice is not None
    simulate.pay(order.invoice, at=START)
    return Simulation(tell=told)


def test_services_start_in_the_first_hour_and_every_hour_is_recorded(
    simulation: Simulation, told: Told
):
    simulation.play(START, START + 2 * DAY)

    jobs = [(at, event) for at, event in told if event.startswith("Create")]
    assert [at for at, _ in jobs] == [START, START]
    assert all(event.endswith(": Done") for _, event in jobs)
    [span] = SizeSpan.objects.all()
    assert (span.starts_at, span.last_seen_at) == (START, START + 47 * HOUR)
    assert Call.objects.count() > 0


def test_a_month_ends_with_one_invoice_that_is_paid_two_days_later(
    simulation: Simulation, told: Told
):
    simulation.play(START, START + DAY)
    before = Invoice.objects.count()

    simulation.play(START + 30 * DAY, START + 33 * DAY)

    [invoice] = Invoice.objects.order_by("pk")[before:]
    assert (invoice.issued_at, invoice.status) == (START + 30 * DAY + 2 * HOUR, "paid")
    assert Counter(line.kind for line in invoice.lines.all()) == {"usage": 2, "recurring": 1}
    assert invoice.lines.get(kind="recurring").amount == Decimal("19.00")
    assert invoice.paid_at == START + 33 * DAY - 14 * HOUR


def test_a_debtor_pays_nothing(simulation: Simulation):
    client = Invoice.objects.get().client
    simulation.debtors = frozenset({client.pk})

    simulation.play(START, START + 2 * HOUR)
    simulation.play(START + 30 * DAY, START + 33 * DAY)

    assert [i.status for i in Invoice.objects.order_by("pk")] == ["paid", "unpaid"]


def test_a_debtor_is_reminded_and_then_suspended(simulation: Simulation, told: Told):
    client = Invoice.objects.get().client
    simulation.debtors = frozenset({client.pk})
    simulation.play(START, START + 2 * HOUR)
    simulation.play(START + 30 * DAY, START + 30 * DAY + 3 * HOUR)
    invoice = Invoice.objects.latest("pk")

    simulation.play(START + 45 * DAY, START + 45 * DAY + 6 * HOUR)
    simulation.play(START + 49 * DAY, START + 49 * DAY + 6 * HOUR)

    reminded = [(at, event) for at, event in told if "reminder" in event]
    assert reminded == [
        (START + 45 * DAY + 4 * HOUR, f"First overdue reminder of {invoice} to {client}"),
        (START + 49 * DAY + 4 * HOUR, f"Second overdue reminder of {invoice} to {client}"),
    ]
    suspended = {(s.product.slug, s.status) for s in client.services.select_related("product")}
    assert suspended == {("backup-datastore", "suspended"), ("cloud-pbx-10", "suspended")}


def test_the_portals_clock_stands_at_the_end_and_runs_on(simulation: Simulation):
    simulation.play(START, START + 2 * HOUR)

    assert START + 2 * HOUR <= reading.now() < START + 2 * HOUR + timedelta(minutes=1)


def test_a_real_vendor_is_never_simulated(shop: None):
    Server.objects.filter(module_key="fusionpbx").update(base_url="https://pbx.example.net")

    with pytest.raises(NotASandbox, match="PBX sandbox is not a sandbox"):
        SandboxLife()


def test_the_clock_of_a_real_portal_cannot_be_moved(db: None, settings):
    settings.SIMULATION = False

    with pytest.raises(ClockIsReal):
        set_clock(START)
    with pytest.raises(CommandError, match="SIMULATION is off"):
        call_command("simulate", days=1)


def test_no_day_at_all_is_refused(db: None):
    with pytest.raises(CommandError, match="--days 0: at least one day"):
        call_command("simulate", days=0)
