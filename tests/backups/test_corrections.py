"""What is learned after a window was charged is charged or credited with the next one."""

from datetime import timedelta
from decimal import Decimal

import pytest

from backups import sizes
from backups.answers import Rescale
from backups.models import Datastore, LateSize
from backups.module import RemoteBackupsModule
from backups.span_rows import Look, Observation
from billing_portal.calc.periods import Period
from billing_portal.invoices.evidence import explain
from billing_portal.invoices.models import Charge
from billing_portal.workflows.bill_run import bill_client
from provisioning.contract import ChargedUsage, UsageMoved
from tests.backups.metering import usage_of
from tests.factories import make_client, make_product, make_server, make_service, only, utc

pytestmark = pytest.mark.django_db

GB = 10**9
NOVEMBER = Period(utc(2026, 11, 1), utc(2026, 12, 1))
DECEMBER = Period(utc(2026, 12, 1), utc(2027, 1, 1))


def hours(count):
    return NOVEMBER.start + timedelta(hours=count)


@pytest.fixture
def server():
    return make_server(module_key="remote_backups")


def make_storage(server, price="10.00", **fields):
    """A service with 800 GB since November began, last seen two hours before it ended."""
    service = make_service(
        make_client(),
        product=make_product(module_key="remote_backups"),
        **{"usage": {"storage": price}, "created_at": NOVEMBER.start} | fields,
    )
    see(server, hours(0), 800)
    Datastore.objects.update(service=service)
    see(server, hours(718), 800)
    return service


def see(server, at, size_gb, *log):
    known = dict(Datastore.objects.values_list("remote_id", "last_seen_at"))
    changes = [Rescale(moment, old, new) for moment, old, new in log]
    observed = Observation("seen", "nas", size_gb * GB, None, None, changes)
    return sizes.record(Look(server.pk, at, [observed], known))


def charge_november(service):
    (usage,) = usage_of(service.pk, NOVEMBER)
    RemoteBackupsModule.usage_charged([ChargedUsage(service.pk, usage, 1)])


def correction(service, period=DECEMBER):
    found = [one for one in usage_of(service.pk, period) if one.metric != "storage"]
    return found[0] if found else None


def test_a_decrease_learned_late_is_credited_with_its_evidence(server):
    service = make_storage(server)
    charge_november(service)

    recorded = see(server, hours(723), 500)

    assert [(one.starts_at, one.ends_at) for one in LateSize.objects.all()] == [
        (hours(718), hours(720))
    ]
    assert len(recorded.late) == 1
    usage = correction(service)
    # 300 GB less for 2 of 720 hours: -0.8333 GB, at 10.00 per 1000 GB -0.008333.
    assert (usage.metric, usage.amount) == ("storage_correction", Decimal("-0.01"))
    assert usage.quantity == Decimal("-0.833333")
    assert usage.period == Period(hours(718), hours(720))
    assert usage.description == "Correction of backup storage, 2026-11-30 to 2026-12-01"
    assert usage.evidence == {
        "corrections": [
            {
                "from": "2026-11-30T22:00:00+00:00",
                "to": "2026-12-01T00:00:00+00:00",
                "billed_gb": "800",
                "size_gb": "500",
                "hours": "2.000000",
                "amount": "-0.01",
            }
        ],
        "price_per_1000gb": "10.000000",
        "learned_at": "2026-12-01T03:00:00+00:00",
    }


def test_an_increase_the_log_tells_late_is_charged(server):
    service = make_storage(server, "1000.00")
    charge_november(service)

    see(server, hours(723), 1000, (hours(719), 800, 1000))

    # 200 GB more for 1 of 720 hours: 0.2778 GB, at 1 per GB.
    assert correction(service).amount == Decimal("0.28")


def test_up_and_down_before_the_end_is_corrected_stretch_by_stretch(server):
    service = make_storage(server, "1000.00")
    charge_november(service)

    see(server, hours(723), 700, (hours(719), 800, 1000), (hours(719.5), 1000, 700))

    usage = correction(service)
    # 200 GB more, then 100 GB less, for half an hour of 720 each: 0.1389 - 0.0694.
    assert usage.amount == Decimal("0.07")
    assert [
        (one["size_gb"], one["hours"], one["amount"]) for one in usage.evidence["corrections"]
    ] == [("1000", "0.500000", "0.14"), ("700", "0.500000", "-0.07")]


def test_differences_that_cancel_are_not_charged(server):
    service = make_storage(server, "1000.00")
    charge_november(service)

    see(server, hours(723), 600, (hours(719), 800, 1000), (hours(719.5), 1000, 600))

    assert correction(service) is None
    assert LateSize.objects.filter(charge_ref=None).count() == 2


def test_what_is_learned_in_time_is_no_correction(server):
    service = make_storage(server)

    see(server, hours(723), 500)

    assert LateSize.objects.count() == 0
    assert correction(service) is None


def test_an_increase_only_seen_later_counts_from_then_and_corrects_nothing(server):
    service = make_storage(server)
    charge_november(service)

    see(server, hours(723), 900)

    assert LateSize.objects.count() == 0


def test_a_correction_is_charged_once(server):
    service = make_storage(server)
    charge_november(service)
    see(server, hours(723), 500)
    usage = correction(service)

    RemoteBackupsModule.usage_charged([ChargedUsage(service.pk, usage, 77)])

    assert LateSize.objects.get().charge_ref == 77
    assert correction(service) is None
    with pytest.raises(UsageMoved):
        RemoteBackupsModule.usage_charged([ChargedUsage(service.pk, usage, 78)])
    assert LateSize.objects.get().charge_ref == 77


def test_the_next_invoice_carries_the_credit_and_explains_it(server):
    service = make_storage(server, "1000.00")
    assert only(bill_client(service.client_id, utc(2026, 12, 1, 2, 10))).total == Decimal("800.00")
    see(server, hours(723), 500)
    see(server, utc(2027, 1, 1, 0, 30), 500)

    invoice = only(bill_client(service.client_id, utc(2027, 1, 1, 2, 10)))

    # December: 500.00.  November again: 300 GB less for 2 of 720 hours, 0.83.
    assert [line.amount for line in invoice.lines.all()] == [Decimal("-0.83"), Decimal("500.00")]
    assert invoice.total == Decimal("499.17")
    charge = Charge.objects.get(metric="storage_correction")
    assert charge.key == f"storage_correction:{service.pk}:{DECEMBER.start.isoformat()}"
    assert LateSize.objects.get().charge_ref == charge.pk
    assert explain(charge).rows[0][2:4] == ("800 GB", "500 GB")
    assert only(bill_client(service.client_id, utc(2027, 1, 1, 3))) is None


def test_a_credit_larger_than_the_next_invoice_waits_for_one_it_fits(server):
    service = make_storage(server, "1000.00")
    only(bill_client(service.client_id, utc(2026, 12, 1, 2, 10)))
    LateSize.objects.create(
        datastore=Datastore.objects.get(),
        starts_at=hours(0),
        ends_at=hours(718),
        billed_bytes=800 * GB,
        size_bytes=10 * GB,
        source="log",
        noted_at=hours(721),
    )
    see(server, hours(721), 500)
    see(server, utc(2027, 1, 31), 500)

    assert only(bill_client(service.client_id, utc(2027, 1, 1, 2, 10))) is None
    invoice = only(bill_client(service.client_id, utc(2027, 2, 1, 2, 10)))

    # -788.64 for November's first 718 hours and its last two, then twice 500.00.
    assert [line.amount for line in invoice.lines.all()] == [
        Decimal("-788.64"),
        Decimal("500.00"),
        Decimal("500.00"),
    ]
    assert invoice.total == Decimal("211.36")


def test_nothing_is_corrected_before_the_order(server):
    service = make_storage(server, created_at=hours(719))
    charge_november(service)
    see(server, hours(723), 500)

    usage = correction(service)

    assert usage is None
    assert LateSize.objects.get().charge_ref is None
