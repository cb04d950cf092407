"""What pages read."""

from decimal import Decimal

import pytest

from billing_portal.calc.periods import Period
from pbx import queries
from pbx.queries import BadPlace, CallTotals
from tests.factories import AT, make_service, utc
from tests.pbx.call_rows import make_call, make_free, make_unrated
from tests.pbx.requests import NOON

TEN_TO_THIRTY = Period(utc(2026, 3, 10, 12, 10), utc(2026, 3, 10, 12, 30))


def test_extensions_are_the_present_ones_in_order(tenant, service):
    tenant.extensions.create(remote_id="a", number="1003", removed_at=AT)

    assert [one.number for one in queries.extensions(service.pk)] == ["1001", "1002"]
    assert queries.extensions(make_service().pk) == []


def test_pages_follow_each_other_without_gap_or_repetition(server, service):
    made = [make_call(server, service, minutes=m) for m in (0, 5, 5, 5, 9)]
    make_call(server, make_service(product=service.product))

    pages, place = [], ""
    while not pages or place:
        page = queries.call_page(service.pk, older_than=place, limit=2)
        pages.append([call.pk for call in page.calls])
        place = page.older

    ids = [call.pk for call in made]
    assert pages == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]


def test_a_full_last_page_leads_nowhere(server, service):
    make_call(server, service)
    make_call(server, service)

    assert queries.call_page(service.pk, limit=2).older == ""


def test_a_place_survives_its_way_through_an_address(server, service):
    older = make_call(server, service)
    make_call(server, service, minutes=1)
    place = queries.call_page(service.pk, limit=1).older

    page = queries.call_page(service.pk, older_than=place.replace("+", " "))

    assert list(page.calls) == [older]


@pytest.mark.parametrize("place", ["x", "_", "2026-03-10T12:00:00_1", f"{NOON.isoformat()}_x"])
@pytest.mark.django_db
def test_a_place_that_cannot_be_is_refused(place):
    with pytest.raises(BadPlace, match="no place in the list of calls"):
        queries.call_page(1, older_than=place)


def test_lists_and_totals_can_be_narrowed_alike(server, service):
    make_call(server, service, minutes=5)
    make_call(server, service, minutes=10)
    make_free(server, service, minutes=20)
    make_unrated(server, service, minutes=29, extension_number="1002")
    make_call(server, service, minutes=30)

    def narrowed(**filters):
        page = queries.call_page(service.pk, **filters)
        totals = queries.call_totals(service.pk, **filters)
        assert totals.calls == len(page.calls)
        return [int((call.started_at - NOON).total_seconds()) // 60 for call in page.calls]

    assert narrowed() == [30, 29, 20, 10, 5]
    assert narrowed(period=TEN_TO_THIRTY) == [29, 20, 10]
    assert narrowed(period=TEN_TO_THIRTY, direction="inbound") == [20]
    assert narrowed(search="+49401") == [30, 29, 10, 5]
    assert narrowed(search="1002") == [29]
    assert narrowed(search="33123") == [20]


def test_totals_leave_out_what_has_no_price(server, service):
    make_call(server, service)
    make_call(server, service)
    make_free(server, service)
    make_unrated(server, service)

    assert queries.call_totals(service.pk) == CallTotals(
        calls=4, talked_s=244, billed_s=132, amount=Decimal("0.022000"), unrated=1
    )
    assert queries.call_totals(make_service().pk) == CallTotals(0, 0, 0, Decimal(0), 0)


def test_staff_find_what_needs_them(server, service):
    make_call(server, service)
    unrated, parked = make_unrated(server, service), make_unrated(server, None)

    assert list(queries.unrated_calls()) == [unrated]
    assert list(queries.parked_calls()) == [parked]
    assert queries.why(unrated) == "No prefix of the tariff standard matches this number."


@pytest.mark.parametrize("count", [1, 30])
def test_a_page_with_totals_costs_two_queries(server, service, count, django_assert_num_queries):
    for minutes in range(count):
        make_call(server, service, minutes=minutes)

    with django_assert_num_queries(2):
        for call in queries.call_page(service.pk).calls:
            str(call.amount)
        queries.call_totals(service.pk)
