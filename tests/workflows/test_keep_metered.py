"""A metered service is kept after its last usage was billed: what it uses on is billed too."""

from datetime import date

import pytest

from backups.models import Datastore, SizeSpan
from billing_portal.invoices.models import BillingSettings, Invoice
from billing_portal.services.models import Cancellation
from billing_portal.workflows import bill_run, cancel_service
from billing_portal.workflows.audit_money import differences
from tests.factories import make_placement, make_product, make_service, utc

pytestmark = pytest.mark.django_db

GB = 10**9
ENDED = utc(2026, 4, 16, 12)


@pytest.fixture
def service():
    """500 GB since the first of April, at 10.00 for 1000 GB and month."""
    BillingSettings.objects.create(pk=1, lead_days=0, term_days=14)
    service = make_service(
        product=make_product(module_key="remote_backups", deletion_grace_days=60),
        anchor_date=date(2026, 4, 1),
        created_at=utc(2026, 4, 1),
        spec={"size_gb": 500, "name_prefix": "backup"},
        usage={"storage": "10"},
    )
    placement = make_placement(service)
    row = Datastore.objects.create(
        server=placement.server,
        remote_id=placement.remote_id,
        service=service,
        name="nas",
        size_bytes=500 * GB,
        first_seen_at=utc(2026, 4, 1),
        last_seen_at=utc(2026, 8, 1),
    )
    SizeSpan.objects.create(
        datastore=row,
        size_bytes=500 * GB,
        starts_at=utc(2026, 4, 1),
        first_seen_at=utc(2026, 4, 1),
        last_seen_at=utc(2026, 8, 1),
        source="poll",
    )
    return service


def end(service, at=ENDED):
    return cancel_service.request(
        service.pk, when=Cancellation.When.NOW, reason="", at=at, actor=None
    )


def keep(found, at):
    cancel_service.keep(found.pk, at=at, actor=None)


def billed():
    """Of each invoice: what its lines are about and cost."""
    return [
        [(line.charge.metric, f"{line.amount:.2f}") for line in invoice.lines.order_by("position")]
        for invoice in Invoice.objects.order_by("pk")
    ]


def test_the_rest_of_a_month_closed_early_is_billed_with_the_next(service):
    """372 of 720 hours of 5.00 are 2.58; the other 348 are 2.42."""
    found = end(service)
    bill_run.bill_all(utc(2026, 4, 16, 15))

    keep(found, utc(2026, 4, 18))
    bill_run.bill_all(utc(2026, 5, 1, 5))
    bill_run.bill_all(utc(2026, 6, 1, 5))

    april, may = billed()
    assert april == [("storage", "2.58")]
    assert sorted(may) == [("storage", "5.00"), ("storage_correction", "2.42")]
    assert list(differences()) == []


def test_kept_before_the_last_usage_was_billed_the_month_is_billed_whole(service):
    keep(end(service), utc(2026, 4, 16, 13))

    bill_run.bill_all(utc(2026, 5, 1, 5))
    bill_run.bill_all(utc(2026, 6, 1, 5))

    assert billed() == [[("storage", "5.00")], [("storage", "5.00")]]


def test_kept_after_the_next_month_was_closed_too_both_are_made_good(service):
    """2.42 of April and the 5.00 of May."""
    found = end(service)
    for at in (utc(2026, 4, 16, 15), utc(2026, 6, 1, 5)):
        bill_run.bill_all(at)

    keep(found, utc(2026, 6, 5))
    bill_run.bill_all(utc(2026, 7, 1, 5))

    april, june = billed()
    assert april == [("storage", "2.58")]
    assert sorted(june) == [("storage", "5.00"), ("storage_correction", "7.42")]


def test_given_up_and_kept_twice_nothing_is_billed_twice(service):
    """The second time it ends with the 20th: kept again, April is still owed whole, once."""
    found = end(service)
    bill_run.bill_all(utc(2026, 4, 16, 15))
    keep(found, utc(2026, 4, 18))

    keep(end(service, utc(2026, 4, 20)), utc(2026, 4, 22))
    bill_run.bill_all(utc(2026, 6, 1, 5))

    assert sorted(billed()[1]) == [("storage", "5.00"), ("storage_correction", "2.42")]


def test_kept_and_given_up_again_only_what_stood_until_then_is_billed(service):
    """From noon of the 16th to the 20th: 84 of 720 hours of 5.00, 0.58."""
    found = end(service)
    bill_run.bill_all(utc(2026, 4, 16, 15))
    keep(found, utc(2026, 4, 18))

    end(service, utc(2026, 4, 20))
    bill_run.bill_all(utc(2026, 6, 1, 5))

    assert billed() == [[("storage", "2.58")], [("storage_correction", "0.58")]]
