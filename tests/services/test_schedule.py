"""When a service ends by itself, and what an earlier end leaves behind."""

from datetime import date

import pytest

from billing_portal.audit.models import Entry
from billing_portal.services.schedule import TermRefused, set_term
from billing_portal.workflows import bill_run
from tests.factories import make_client, make_product, make_service, make_user, utc
from tests.workflows.billing import lines

pytestmark = pytest.mark.django_db

AT = utc(2026, 4, 10)


def make_rented(**fields):
    values = {"anchor_date": date(2026, 3, 1), "billed_until": date(2026, 4, 1)}
    return make_service(
        make_client(), product=make_product(module_key=""), recurring="30", **values | fields
    )


def bill(at):
    (invoice,) = bill_run.bill_all(at).issued
    return lines(invoice)


def test_an_end_is_set_moved_and_taken_away_with_a_trace():
    service = make_rented()
    actor = make_user(name="Sam")

    for day in (date(2026, 5, 1), date(2026, 6, 1), None, None):
        set_term(service.pk, ends_on=day, at=AT, actor=actor)

    service.refresh_from_db()
    assert (service.ends_on, service.anchor_date) == (None, date(2026, 3, 1))
    assert [e.summary for e in Entry.objects.order_by("pk")] == [
        f"{service} ends by itself on 2026-05-01, not only when somebody ends it",
        f"{service} ends by itself on 2026-06-01, not by itself on 2026-05-01",
        f"{service} ends only when somebody ends it, not by itself on 2026-06-01",
    ]


def test_a_service_that_may_stay_longer_pays_on_from_the_day_it_was_to_end():
    service = make_rented(ends_on=date(2026, 4, 16))
    assert bill(utc(2026, 4, 1)) == [("recurring", "2026-04-01", "2026-04-16", "15.00")]

    set_term(service.pk, ends_on=date(2026, 6, 1), at=AT, actor=None)

    service.refresh_from_db()
    assert service.usage_counted_from == date(2026, 3, 1)
    assert bill(utc(2026, 4, 16)) == [("recurring", "2026-04-16", "2026-05-16", "30.00")]
    # 16 of 31 days.
    assert bill(utc(2026, 5, 16)) == [("recurring", "2026-05-16", "2026-06-01", "15.48")]
    assert bill_run.bill_all(utc(2026, 8, 1)).issued == []


@pytest.mark.parametrize("day", [date(2026, 4, 10), date(2026, 4, 9)])
def test_a_day_that_is_not_to_come_is_refused(day):
    service = make_rented()

    with pytest.raises(TermRefused, match=f"{day} is not in the future"):
        set_term(service.pk, ends_on=day, at=AT, actor=None)


def test_what_has_ended_has_no_other_end():
    service = make_rented(status="terminated")

    with pytest.raises(TermRefused, match="has ended already"):
        set_term(service.pk, ends_on=date(2026, 6, 1), at=AT, actor=None)
