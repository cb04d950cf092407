"""The run over all clients: whom it looks at, parking, the dry run, the command, the tasks."""

from datetime import date
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from billing_portal.audit.models import Entry
from billing_portal.calc.due import usage_windows_due
from billing_portal.clients.models import Client
from billing_portal.invoices.models import Charge, Invoice, NumberSeries, UsageWindow
from billing_portal.mail.models import ClientMail
from billing_portal.services.models import Service
from billing_portal.workflows import bill_run, billing_candidates, tasks, usage_windows
from provisioning import registry
from tests.conftest import SentTask
from tests.factories import make_client, make_product, make_service, only, utc
from tests.workflows.billing import make_metered, totals, window

pytestmark = pytest.mark.django_db

DUE = utc(2026, 11, 1, 2)


@pytest.fixture(autouse=True)
def _vendor(vendor):
    return vendor


def problem(client):
    return Client.objects.get(pk=client.pk).billing_problem


# --- All clients --------------------------------------------------------------------------


def test_every_client_with_something_due_gets_one_invoice(vendor):
    services = [make_metered(vendor) for _ in range(3)]
    make_client()

    report = bill_run.bill_all(DUE)

    assert [(i.number, i.client_id) for i in report.issued] == [
        (f"INV-2026-0000{n}", service.client_id) for n, service in enumerate(services, start=1)
    ]
    assert (report.parked, report.drafts) == ([], [])
    assert bill_run.bill_all(DUE).issued == []
    assert len(totals()) == 3


def test_a_client_that_fails_is_parked_and_stops_nobody(vendor):
    first, bad, last = (make_metered(vendor) for _ in range(3))
    Service.objects.filter(pk=bad.pk).update(currency="USD")

    report = bill_run.bill_all(DUE)

    said = f"Box #{bad.pk} is priced in USD, not in EUR."
    assert report.parked == [(bad.client, said)]
    assert [i.client_id for i in report.issued] == [first.client_id, last.client_id]
    assert (problem(bad.client), problem(first.client)) == (said, "")


def test_our_bugs_are_parked_as_ours(vendor, monkeypatch):
    service = make_metered(vendor)
    monkeypatch.setattr(bill_run, "prepare", lambda *args, **kwargs: 1 / 0)

    (parked,) = bill_run.bill_all(DUE).parked

    assert parked[1] == "our bug: ZeroDivisionError('division by zero')"
    assert problem(service.client) == parked[1]


def test_the_next_success_takes_the_mark_off(vendor):
    service = make_metered(vendor)
    Client.objects.update(billing_problem="was broken")

    bill_run.bill_all(DUE)

    assert problem(service.client) == ""


def test_so_does_having_nothing_to_bill_any_more(vendor):
    client = make_client(billing_problem="was broken")

    assert bill_run.bill_all(DUE).issued == []
    assert problem(client) == ""


# --- Whom it looks at ---------------------------------------------------------------------


def looks_at(at):
    return list(billing_candidates.clients_due(at))


def test_a_client_with_nothing_due_is_not_looked_at(vendor):
    service = make_metered(vendor)
    make_service(status="pending", recurring="10")
    bill_run.bill_all(DUE)

    assert looks_at(DUE) == []
    assert looks_at(utc(2026, 11, 20)) == []
    assert looks_at(utc(2026, 12, 1, 2)) == [service.client]


def test_a_first_month_is_looked_at_when_it_can_be_over(vendor):
    service = make_metered(vendor, recurring="0", owes="", billed_until=date(2026, 10, 1))

    assert looks_at(utc(2026, 10, 20)) == []
    assert looks_at(DUE) == [service.client]


@pytest.mark.parametrize(
    ("ended", "first_look"),
    [
        (utc(2026, 11, 10), utc(2026, 11, 10, 2)),
        (utc(2026, 10, 1, 13), utc(2026, 10, 1, 15)),
    ],
)
def test_an_ended_service_is_looked_at_until_its_last_usage_is_in(vendor, ended, first_look):
    service = make_metered(vendor, owes="", status="terminated", ended_at=ended)

    assert looks_at(first_look) == [service.client]

    bill_run.bill_all(first_look)
    assert looks_at(utc(2027, 5, 1)) == []


def test_a_run_after_a_long_pause_sees_windows_that_ended_before_the_service_did(vendor):
    """October ended long ago, the service a minute ago: October is due now."""
    service = make_metered(vendor, status="terminated", ended_at=utc(2026, 11, 20, 12))

    assert looks_at(utc(2026, 11, 20, 12, 1)) == [service.client]
    assert len(bill_run.bill_all(utc(2026, 11, 20, 12, 1)).issued) == 1


def test_an_open_charge_is_looked_at(vendor):
    service = make_metered(vendor, recurring="0", owes="0.00", billed_until=date(2026, 10, 1))
    bill_run.bill_all(DUE)

    assert looks_at(utc(2026, 11, 2)) == [service.client]


def test_a_february_shortened_by_a_clock_change_is_looked_at_in_time(vendor, settings):
    """14 Feb to 14 Mar 2027 in New York has 28 days less an hour."""
    settings.SELLER_TIMEZONE = "America/New_York"
    service = make_metered(
        vendor, recurring="0", owes="", anchor=date(2027, 1, 14), billed_until=date(2027, 1, 14)
    )
    bill_run.bill_all(utc(2027, 2, 14, 7))

    assert looks_at(utc(2027, 3, 14, 6)) == [service.client]


# --- Dry run ------------------------------------------------------------------------------


@pytest.fixture
def mixed(vendor):
    """Three clients with everything a run meets: late, several meters, free, parked."""
    late = make_metered(vendor, owes="1.00")
    vendor.owes(late.pk, window(late), "0.50", metric="requests")
    vendor.owes(late.pk, window(late, 1), "2.00")
    make_metered(vendor, late.client, recurring="0", billed_until=date(2026, 10, 1))
    make_service(
        late.client,
        recurring="7",
        product=make_product(module_key="plain"),
        anchor_date=date(2026, 10, 15),
        billed_until=date(2026, 10, 15),
    )
    make_metered(vendor, label="second")
    make_metered(vendor, currency="USD")
    return utc(2026, 12, 1, 2)


def rows():
    """How much there is of everything a run may write."""
    counted = (Charge, Invoice, UsageWindow, NumberSeries, Entry, ClientMail)
    return {model.__name__: model.objects.count() for model in counted} | {
        "billed": list(Service.objects.values_list("billed_until", flat=True)),
        "problems": list(Client.objects.values_list("billing_problem", flat=True)),
    }


def drafted(draft):
    return [
        (line.service_id, line.kind, line.description, line.quantity, line.unit, line.amount)
        for line in draft.lines
    ]


def issued(invoice):
    return [
        (line.service_id, line.kind, line.description, line.quantity, line.unit, line.amount)
        for line in invoice.lines.order_by("position")
    ]


def test_the_dry_run_says_what_the_real_run_does_and_writes_nothing(mixed):
    before = rows()

    dry = bill_run.bill_all(mixed, dry_run=True)
    assert rows() == before
    real = bill_run.bill_all(mixed)

    assert [(client, draft.total, drafted(draft)) for client, draft in dry.drafts] == [
        (invoice.client, invoice.total, issued(invoice)) for invoice in real.issued
    ]
    assert len(real.issued) == 2
    assert dry.parked == real.parked
    assert dry.issued == real.drafts == []


def test_a_preview_does_not_count_late_records_twice(vendor, monkeypatch):
    """A meter may charge in one window what came too late for the one before."""
    service = make_metered(vendor, owes="1.00")
    vendor.owes(service.pk, window(service, 1), "2.00")
    module = registry.module_class("fake")

    def collect_what_is_open(windows):
        """Everything up to the period's end that no charge holds yet."""
        held = set(Charge.objects.values_list("starts_at", flat=True))
        return {
            service_id: [
                usage
                for (_, start), usages in vendor.usage.items()
                for usage in usages
                if start < period.end and start not in held
            ]
            for service_id, period in windows.items()
        }

    monkeypatch.setattr(module, "collect_usage", collect_what_is_open)
    at = utc(2026, 12, 1, 2)

    draft = only(bill_run.preview_client(service.client_id, at))

    assert drafted(draft) == issued(only(bill_run.bill_client(service.client_id, at)))


def test_a_preview_of_nothing_is_nothing(vendor):
    service = make_metered(vendor)

    assert only(bill_run.preview_client(service.client_id, utc(2026, 10, 31))) is None


# --- The command --------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch):
    def set_to(at):
        monkeypatch.setattr("billing_portal.workflows.management.commands.bill_run.now", lambda: at)
        monkeypatch.setattr(tasks, "now", lambda: at)

    set_to(DUE)
    return set_to


def told(*options):
    out = StringIO()
    call_command("bill_run", *options, stdout=out)
    return out.getvalue().splitlines()


def test_the_command_tells_each_invoice(vendor, clock):
    make_metered(vendor)

    assert told() == ["INV-2026-00001  Acme Ltd  €34.96", "1 invoice(s) issued."]
    assert told() == ["0 invoice(s) issued."]


def test_the_command_tells_each_line_of_a_dry_run(vendor, clock):
    make_metered(vendor)

    assert told("--dry-run") == [
        "Acme Ltd  €34.96",
        "    Box, size 5  2026-11-01 to 2026-12-01  €29.95",
        "    Traffic 2026-10-01  2026-10-01 to 2026-11-01  €5.01",
        "1 invoice(s) would be issued.",
    ]
    assert not Invoice.objects.exists()


def test_a_dry_run_tells_the_sellers_days_as_the_invoice_does(vendor, clock, settings):
    settings.SELLER_TIMEZONE = "Europe/Berlin"
    service = make_metered(vendor, recurring="0", owes="", billed_until=date(2026, 10, 1))
    berlin = usage_windows_due(
        anchor=service.anchor_date,
        timezone="Europe/Berlin",
        closed=frozenset(),
        at=DUE,
        settle=usage_windows.settle_time(),
        ended_at=None,
    )
    vendor.owes(service.pk, berlin[0], "5.01")

    assert told("--dry-run")[1].endswith("2026-10-01 to 2026-11-01  €5.01")


def test_the_future_can_be_looked_at_but_not_billed(vendor, clock):
    make_metered(vendor)
    clock(utc(2026, 10, 20))

    assert told("--dry-run", "--at", "2026-11-01T02:00Z")[-1] == "1 invoice(s) would be issued."
    with pytest.raises(CommandError, match="is in the future: say --dry-run, or wait"):
        told("--at", "2026-11-01T02:00Z")
    assert not Invoice.objects.exists()


def test_a_run_can_be_made_up_for(vendor, clock):
    make_metered(vendor)
    clock(utc(2026, 11, 5))

    told("--at", "2026-11-01T03:00+01:00")

    assert Invoice.objects.get().issued_at == DUE


def test_no_run_gives_a_later_number_an_earlier_date(vendor, clock):
    make_metered(vendor)
    clock(utc(2026, 11, 5))
    told("--at", "2026-11-03T12:00Z")
    make_metered(vendor)

    with pytest.raises(CommandError) as refusal:
        told("--at", "2026-11-02T12:00Z")

    assert str(refusal.value) == (
        "INV-2026-00001 was issued on 2026-11-03: a run as of 2026-11-02 would give later "
        "numbers an earlier date. What was missed is billed by a run of today."
    )
    assert told("--dry-run", "--at", "2026-11-02T12:00Z")[-1] == "1 invoice(s) would be issued."
    assert told("--at", "2026-11-03T01:00Z")[-1] == "1 invoice(s) issued."


def test_parked_clients_end_the_command_with_an_error(vendor, clock):
    make_metered(vendor)
    make_metered(vendor, currency="USD")
    out = StringIO()

    with pytest.raises(CommandError, match=r"1 client\(s\) could not be billed:\nAcme Ltd: Box"):
        call_command("bill_run", stdout=out)

    assert out.getvalue().splitlines()[-1] == "1 invoice(s) issued."


@pytest.mark.parametrize("at", ["tomorrow", "2026-11-01", "2026-11-01T02:00", "2026-13-01T00:00Z"])
def test_a_moment_must_be_one(at, clock):
    with pytest.raises(CommandError, match=f"--at {at}: "):
        told("--at", at)


# --- The tasks ----------------------------------------------------------------------------


def test_the_hourly_task_sends_a_task_for_every_few_clients(vendor, clock, sent_tasks, monkeypatch):
    monkeypatch.setattr(bill_run, "CHUNK", 2)
    services = [make_metered(vendor) for _ in range(4)]
    make_client()
    first, parked, *rest = [service.client_id for service in services]
    Client.objects.filter(pk=parked).update(billing_problem="was broken")

    tasks.bill_run()

    assert sent_tasks == [
        SentTask("billing_portal.workflows.tasks.bill_clients", {"client_ids": ids})
        for ids in ([first, rest[0]], [rest[1]], [parked])
    ]


def test_a_task_bills_its_clients_once(vendor, clock):
    ids = [make_metered(vendor).client_id for _ in range(2)]

    tasks.bill_clients(client_ids=ids)
    tasks.bill_clients(client_ids=ids)

    assert totals() == [("INV-2026-00001", "34.96"), ("INV-2026-00002", "34.96")]


def test_a_task_parks_a_client_that_fails_and_bills_the_others(vendor, clock, caplog):
    bad, good = make_metered(vendor, currency="USD"), make_metered(vendor)

    tasks.bill_clients(client_ids=[bad.client_id, good.client_id])

    assert problem(bad.client) == f"Box #{bad.pk} is priced in USD, not in EUR."
    assert [invoice.client for invoice in Invoice.objects.all()] == [good.client]
    assert f"billing client {bad.client_id} failed" in caplog.text
