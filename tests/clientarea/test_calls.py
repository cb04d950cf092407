"""The call list: filters, pages, totals, the bill behind a charge, and the CSV."""

import csv
from datetime import timedelta
from io import StringIO

import pytest

from pbx.models import Call
from provisioning.models import Placement
from tests.factories import utc

from .conftest import add_call, make_pbx


@pytest.fixture
def calls(household):
    """The addresses of the list and of its file."""
    return f"/services/{household.pbx.pk}/calls/", f"/services/{household.pbx.pk}/calls.csv"


def rows_of(response):
    return list(csv.DictReader(StringIO(response.content.decode())))


def test_the_list_shows_each_call_with_its_cost_and_the_sum(browser, calls):
    page = browser.get(calls[0]).content.decode()

    for text in ("4915112345678", "1:58", "€0.356000", "Nov 20, 2026, 09:00 UTC", "€0.371000"):
        assert text in page


def test_a_number_or_a_direction_narrows_the_list_and_its_sum(browser, calls):
    found = browser.get(calls[0], {"search": "+49301", "direction": "outbound"})

    assert [call.destination for call in found.context["calls"]] == ["49301234567"]
    assert found.context["totals"].calls == 1
    assert not browser.get(calls[0], {"direction": "inbound"}).context["calls"]


def test_pages_follow_each_other_without_gap_or_repeat(browser, household, calls):
    placement = Placement.objects.get(service=household.pbx)
    for number in range(60):
        at = utc(2026, 11, 10) + timedelta(minutes=number)
        add_call(placement, f"4930{number:04}", at=at, micros=1)

    first = browser.get(calls[0])
    second = browser.get(f"{calls[0]}?{first.context['older']}")

    seen = [call.pk for page in (first, second) for call in page.context["calls"]]
    assert len(first.context["calls"]) == 50
    assert len(seen) == len(set(seen)) == 62
    assert second.context["older"] == ""


def test_a_place_that_cannot_be_is_not_there(browser, calls):
    assert browser.get(calls[0], {"older": "yesterday"}).status_code == 404


def test_the_bill_behind_a_charge_lists_exactly_its_calls(browser, household, calls):
    charge = household.pbx.charges.get()
    placement = Placement.objects.get(service=household.pbx)
    add_call(placement, "493099999", at=utc(2026, 11, 20, 10), micros=1)

    page = browser.get(calls[0], {"charge": charge.pk})

    assert [call.destination for call in page.context["calls"]] == ["49301234567", "4915112345678"]
    assert household.invoice.number in page.content.decode()


@pytest.mark.parametrize("charge", ["0", "x", "999999"])
def test_a_charge_of_somebody_else_is_not_there(browser, calls, charge):
    assert browser.get(calls[0], {"charge": charge}).status_code == 404


def test_a_datastore_has_no_calls(browser, household):
    assert browser.get(f"/services/{household.backup.pk}/calls/").status_code == 404


def test_the_file_holds_what_the_list_shows(browser, calls):
    response = browser.get(calls[1], {"search": "49301"})

    assert response["Content-Disposition"].startswith("attachment;")
    assert rows_of(response) == [
        {
            "started_at": "2026-11-19T09:00:00+00:00",
            "extension": "1001",
            "direction": "outbound",
            "caller": "1001",
            "destination": "49301234567",
            "rate": "Germany",
            "talked_s": "118",
            "billed_s": "120",
            "amount": "0.015000",
            "currency": "EUR",
            "why": "Tariff standard: 0.178 a minute, at least 60 s, in steps of 60 s, 0 per call.",
        }
    ]


def test_a_caller_s_name_runs_no_formula_in_a_spreadsheet(browser, household, calls):
    Call.objects.filter(destination="49301234567").update(caller='=HYPERLINK("x")')
    Call.objects.filter(destination="4915112345678").update(caller="+4930123")

    callers = [row["caller"] for row in rows_of(browser.get(calls[1]))]

    assert callers == ["+4930123", '\'=HYPERLINK("x")']


def test_a_call_without_a_price_says_so_and_why(browser, household, calls):
    Call.objects.filter(destination="49301234567").update(
        rating=Call.Rating.UNRATED,
        amount_micros=None,
        charge=None,
        explanation={"rule": "no_prefix", "tariff": "standard"},
    )

    page = browser.get(calls[0]).content.decode()

    assert "no price yet" in page
    assert "No prefix of the tariff standard matches this number." in page


def test_a_pbx_without_calls_says_when_they_appear(browser, household):
    quiet = make_pbx(household.client)
    Call.objects.filter(service=quiet).delete()

    page = browser.get(f"/services/{quiet.pk}/calls/").content.decode()

    assert "Calls appear here a few minutes after they end." in page
