"""The forecast page: the months ahead with their lines, or a sentence if there are none."""

from datetime import date

import pytest
from django.contrib.auth.models import Group, Permission
from django.urls import reverse

from billing_portal.invoices.models import Invoice
from tests.factories import make_client, make_product, make_service, utc
from tests.staff.test_work import text

pytestmark = pytest.mark.django_db


def look(browser, client):
    return text(browser.get(reverse("staff:client-forecast", args=[client.pk])))


@pytest.fixture(autouse=True)
def _november(monkeypatch):
    monkeypatch.setattr("billing_portal.staff.forecast.now", lambda: utc(2026, 11, 10, 9))


def test_each_month_shows_what_it_will_bring(as_role):
    client = make_client()
    make_service(
        client,
        product=make_product(module_key="", name="Rack"),
        recurring="30.00",
        anchor_date=date(2026, 11, 1),
        billed_until=date(2026, 12, 1),
    )

    shown = look(as_role("Read only"), client)

    assert "€330.00" in shown
    assert "December 2026" in shown
    assert "October 2027" in shown
    assert "November 2027" not in shown
    assert shown.count(">Rack</a>") == 11
    assert not Invoice.objects.exists()


def test_nothing_to_expect_is_said(as_role):
    assert "No invoice is to be expected" in look(as_role("Billing"), make_client())


def test_a_client_that_cannot_be_billed_is_named_with_the_reason(as_role):
    client = make_client()
    make_service(
        client,
        product=make_product(module_key=""),
        recurring="30.00",
        currency="USD",
        anchor_date=date(2026, 11, 1),
    )

    assert "is priced in USD, not in EUR." in look(as_role("Billing"), client)


def test_the_clients_page_leads_to_it(as_role):
    client = make_client()
    shown = as_role("Billing").get(reverse("staff:client", args=[client.pk])).content.decode()

    assert reverse("staff:client-forecast", args=[client.pk]) in shown


def test_only_who_may_see_clients_and_invoices_sees_it(as_role):
    browser = as_role("Billing")
    Group.objects.get(name="Billing").permissions.remove(
        Permission.objects.get(codename="view_invoice")
    )

    answer = browser.get(reverse("staff:client-forecast", args=[make_client().pk]))

    assert answer.status_code == 403
