"""What one client gets billed: in advance, in arrears, late, for nothing, and once."""

from datetime import date
from decimal import Decimal

import pytest

from billing_portal.invoices.models import Charge, UsageWindow
from billing_portal.products.models import Cycle
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from billing_portal.workflows import bill_run
from provisioning import registry
from tests.factories import make_client, make_product, make_service, only, utc
from tests.workflows.billing import lines, make_metered, window

pytestmark = pytest.mark.django_db

DUE = utc(2026, 11, 1, 2)
"""Two hours after October ended: its usage has settled."""


def bill(service, at=DUE):
    return only(bill_run.bill_client(service.client_id, at))


def billed_until(service):
    return Service.objects.get(pk=service.pk).billed_until


@pytest.fixture(autouse=True)
def _vendor(vendor):
    return vendor


# --- In advance and in arrears ------------------------------------------------------------


def test_the_new_period_and_the_usage_of_the_old_one_are_on_one_invoice(vendor):
    service = make_metered(vendor, recurring="29.95", owes="5.01")

    invoice = bill(service)

    assert lines(invoice) == [
        ("recurring", "2026-11-01", "2026-12-01", "29.95"),
        ("usage", "2026-10-01", "2026-11-01", "5.01"),
    ]
    assert (invoice.total, invoice.currency, invoice.client_id) == (
        Decimal("34.96"),
        "EUR",
        service.client_id,
    )
    assert billed_until(service) == date(2026, 12, 1)


def test_the_usage_line_carries_its_charge_with_the_evidence(vendor):
    service = make_metered(vendor, owes="5.01")

    line = bill(service).lines.get(kind="usage")

    assert (line.quantity, line.unit, line.unit_price) == (Decimal(1), "TB", Decimal("5.01"))
    assert line.charge.evidence == {"quantity": "1"}
    assert line.charge.key == f"traffic:{service.pk}:2026-10-01T00:00:00+00:00"
    assert vendor.charged == [(service.pk, "traffic", line.charge_id)]


def test_nothing_is_due_before_the_usage_has_settled(vendor):
    service = make_metered(vendor)

    assert bill(service, utc(2026, 11, 1, 1, 59)) is None
    assert (Charge.objects.count(), UsageWindow.objects.count()) == (0, 0)


def test_a_service_without_a_meter_is_due_on_its_day(vendor):
    service = make_service(
        recurring="10", product=make_product(module_key="plain"), billed_until=date(2026, 11, 1)
    )

    assert bill(service, utc(2026, 10, 31, 23, 59)) is None
    assert lines(bill(service, utc(2026, 11, 1))) == [
        ("recurring", "2026-11-01", "2026-12-01", "10.00")
    ]


def test_beside_a_metered_service_it_waits_for_the_common_invoice(vendor):
    client = make_client()
    plain = make_service(
        client,
        recurring="10",
        product=make_product(module_key="plain"),
        anchor_date=date(2026, 10, 1),
        billed_until=date(2026, 11, 1),
    )
    make_metered(vendor, client)

    assert bill(plain, utc(2026, 11, 1, 1, 59)) is None
    assert [kind for kind, *_ in lines(bill(plain))] == ["recurring", "recurring", "usage"]


def test_lead_days_ask_for_the_new_period_early_and_for_usage_when_it_is_known(vendor, settings):
    settings.INVOICE_LEAD_DAYS = 7
    service = make_metered(vendor)

    assert bill(service, utc(2026, 10, 24)) is None
    assert lines(bill(service, utc(2026, 10, 25))) == [
        ("recurring", "2026-11-01", "2026-12-01", "29.95")
    ]
    assert lines(bill(service)) == [("usage", "2026-10-01", "2026-11-01", "5.01")]


def test_days_are_the_sellers_days(vendor, settings):
    settings.SELLER_TIMEZONE = "America/New_York"
    service = make_metered(vendor, owes="")
    vendor.usage.clear()

    assert bill(service, utc(2026, 11, 1, 5, 59)) is None  # 01:59 in New York, still EDT
    invoice = bill(service, utc(2026, 11, 1, 6))
    assert lines(invoice) == [("recurring", "2026-11-01", "2026-12-01", "29.95")]
    assert invoice.issue_date == date(2026, 11, 1)
    closed = UsageWindow.objects.get()
    assert (closed.starts_at, closed.ends_at) == (utc(2026, 10, 1, 4), utc(2026, 11, 1, 4))


def test_several_meters_and_services_share_the_invoice_in_order(vendor):
    client = make_client()
    first = make_metered(vendor, client, recurring="1", owes="0.10")
    vendor.owes(first.pk, window(first), "0.20", metric="requests")
    make_metered(vendor, client, recurring="2", owes="0.30")

    invoice = bill(first)

    assert [
        (line.service_id - first.pk, line.description, f"{line.amount:.2f}")
        for line in invoice.lines.all()
    ] == [
        (0, "Box, size 5", "1.00"),
        (0, "Traffic 2026-10-01", "0.10"),
        (0, "Requests 2026-10-01", "0.20"),
        (1, "Box, size 5", "2.00"),
        (1, "Traffic 2026-10-01", "0.30"),
    ]


# --- Catching up --------------------------------------------------------------------------


def test_a_late_run_bills_every_missed_period_and_window_in_order(vendor):
    service = make_metered(vendor, owes="1.00")
    vendor.owes(service.pk, window(service, 2), "3.00")

    invoice = bill(service, utc(2027, 1, 1, 2))

    assert lines(invoice) == [
        ("recurring", "2026-11-01", "2026-12-01", "29.95"),
        ("recurring", "2026-12-01", "2027-01-01", "29.95"),
        ("recurring", "2027-01-01", "2027-02-01", "29.95"),
        ("usage", "2026-10-01", "2026-11-01", "1.00"),
        ("usage", "2026-12-01", "2027-01-01", "3.00"),
    ]
    assert billed_until(service) == date(2027, 2, 1)


def test_windows_are_charged_before_the_next_one_is_looked_at(vendor, monkeypatch):
    """Late records of one window may be charged in the next, so the order matters."""
    service = make_metered(vendor, owes="1.00")
    vendor.owes(service.pk, window(service, 1), "2.00")
    seen = []
    module = registry.module_class("fake")
    collect, charged = module.collect_usage, module.usage_charged
    monkeypatch.setattr(
        module,
        "collect_usage",
        lambda windows: (
            seen.extend(f"collect {period.start:%b}" for period in windows.values())
            or collect(windows)
        ),
    )
    monkeypatch.setattr(
        module,
        "usage_charged",
        lambda usages: (
            seen.extend(f"charge {one.usage.period.start:%b}" for one in usages) or charged(usages)
        ),
    )

    bill(service, utc(2026, 12, 1, 2))

    assert seen == ["collect Oct", "charge Oct", "collect Nov", "charge Nov"]


def test_month_ends_come_back_after_february(vendor):
    service = make_metered(
        vendor, owes="", recurring="10", anchor=date(2026, 1, 31), billed_until=date(2026, 2, 28)
    )

    invoice = bill(service, utc(2026, 5, 31, 2))

    assert [(start, end) for _, start, end, _ in lines(invoice)] == [
        ("2026-02-28", "2026-03-31"),
        ("2026-03-31", "2026-04-30"),
        ("2026-04-30", "2026-05-31"),
        ("2026-05-31", "2026-06-30"),
    ]


def test_usage_windows_follow_the_same_month_ends(vendor):
    service = make_metered(
        vendor, owes="", recurring="0", anchor=date(2026, 1, 31), billed_until=date(2026, 1, 31)
    )
    vendor.owes(service.pk, window(service, 1), "2.00")

    assert lines(bill(service, utc(2026, 3, 31, 2))) == [
        ("usage", "2026-02-28", "2026-03-31", "2.00")
    ]
    assert [(w.starts_at, w.ends_at) for w in UsageWindow.objects.all()] == [
        (utc(2026, 1, 31), utc(2026, 2, 28)),
        (utc(2026, 2, 28), utc(2026, 3, 31)),
    ]


@pytest.mark.parametrize(
    ("cycle", "end"),
    [
        (Cycle.QUARTERLY, "2027-02-01"),
        (Cycle.SEMI_ANNUAL, "2027-05-01"),
        (Cycle.ANNUAL, "2027-11-01"),
        (Cycle.BIENNIAL, "2028-11-01"),
        (Cycle.TRIENNIAL, "2029-11-01"),
    ],
)
def test_longer_cycles_are_billed_for_all_their_months(cycle, end):
    service = make_service(recurring="100", cycle=cycle, anchor_date=date(2026, 11, 1))

    assert lines(bill(service, utc(2026, 11, 1, 2))) == [("recurring", "2026-11-01", end, "100.00")]


def test_a_yearly_service_has_its_usage_billed_every_month(vendor):
    service = make_metered(vendor, cycle=Cycle.ANNUAL, billed_until=date(2027, 10, 1))

    assert lines(bill(service)) == [("usage", "2026-10-01", "2026-11-01", "5.01")]


# --- What costs nothing -------------------------------------------------------------------


def test_a_free_service_is_billed_its_usage_alone(vendor):
    service = make_metered(vendor, recurring="0", billed_until=date(2026, 10, 1))

    assert lines(bill(service)) == [("usage", "2026-10-01", "2026-11-01", "5.01")]


def test_a_one_time_product_is_never_due_again(vendor):
    service = make_service(recurring="50", cycle=Cycle.ONE_TIME, anchor_date=date(2026, 1, 1))

    assert bill(service) is None
    assert bill_run.bill_all(DUE).issued == []


def test_a_window_without_usage_closes_without_a_charge(vendor):
    service = make_metered(vendor, recurring="0", owes="", billed_until=date(2026, 10, 1))

    assert bill(service) is None
    assert [
        (w.service_id, w.starts_at, w.ends_at, w.closed_at) for w in UsageWindow.objects.all()
    ] == [(service.pk, utc(2026, 10, 1), utc(2026, 11, 1), DUE)]
    assert not Charge.objects.exists()


def test_an_invoice_of_nothing_is_not_issued_and_its_charge_waits(vendor):
    service = make_metered(vendor, recurring="0", owes="0.00", billed_until=date(2026, 10, 1))
    vendor.owes(service.pk, window(service, 1), "2.00")

    assert bill(service) is None
    assert [charge.amount for charge in Charge.objects.all()] == [Decimal(0)]

    assert lines(bill(service, utc(2026, 12, 1, 2))) == [
        ("usage", "2026-10-01", "2026-11-01", "0.00"),
        ("usage", "2026-11-01", "2026-12-01", "2.00"),
    ]


def test_a_balance_in_the_clients_favour_waits_for_the_next_invoice(vendor):
    service = make_metered(vendor, recurring="0", owes="-3.00", billed_until=date(2026, 10, 1))
    vendor.owes(service.pk, window(service, 1), "5.00")

    assert bill(service) is None
    assert bill(service, utc(2026, 12, 1, 2)).total == Decimal("2.00")


# --- States -------------------------------------------------------------------------------


def test_a_suspended_service_is_still_billed(vendor):
    service = make_metered(vendor, status=ServiceStatus.SUSPENDED)

    assert len(lines(bill(service))) == 2


@pytest.mark.parametrize("status", ["pending", "fraud"])
def test_what_never_ran_is_not_billed(status):
    service = make_service(
        recurring="10", status=ServiceStatus(status), billed_until=date(2026, 11, 1)
    )

    assert bill(service) is None


@pytest.mark.parametrize("status", ["terminated", "cancelled", "completed"])
def test_an_ended_service_owes_its_last_usage_and_nothing_in_advance(vendor, status):
    ended = utc(2026, 11, 10, 9)
    service = make_metered(vendor, status=ServiceStatus(status), ended_at=ended)
    vendor.owes(service.pk, window(service, 1), "2.00")
    vendor.owes(service.pk, window(service, 2), "0.40")
    vendor.owes(service.pk, window(service, 3), "99.00")

    assert lines(bill(service, utc(2026, 11, 10, 10, 59))) == [
        ("usage", "2026-10-01", "2026-11-01", "5.01")
    ]
    assert lines(bill(service, utc(2026, 11, 10, 11))) == [
        ("usage", "2026-11-01", "2026-12-01", "2.00")
    ]
    assert lines(bill(service, utc(2027, 1, 1, 2))) == [  # what came late
        ("usage", "2026-12-01", "2027-01-01", "0.40")
    ]
    assert bill(service, utc(2027, 3, 1, 2)) is None
