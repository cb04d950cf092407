from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing_portal.services.states import ServiceStatus
from billing_portal.staff import attention, figures
from provisioning.models import Job
from tests.factories import AT, make_client, make_service, rewrite_issued
from tests.staff.world import make_world


def text(answer):
    return " ".join(answer.content.decode().split())


def test_an_empty_portal_needs_nobody(staff):
    shown = text(staff.get("/staff/"))

    assert "Nothing needs you." in shown
    assert "€0.00" in shown


def test_everything_that_needs_somebody_is_named_and_linked(world, staff):
    shown = text(staff.get("/staff/"))
    needs = {need.title: need for need in attention.needs(AT + timedelta(hours=5))}

    assert list(needs) == [
        "Jobs that failed",
        "Clients the bill run could not bill",
        "Payment events that could not be applied",
        "Servers that do not answer",
        "Datastores not seen lately",
        "Calls without a price",
        "Orders to set up",
        "Payments without an invoice",
        "Mails that did not go out",
    ]
    for need in needs.values():
        assert need.title in shown
        assert [staff.get(row.address).status_code for row in need.rows] == [200]
        assert staff.get(need.address).status_code == 200


def test_a_job_that_will_be_tried_again_is_shown_with_when(world):
    Job.objects.update(status=Job.Status.QUEUED, due_at=AT, last_error="503")

    needs = {need.title: need.rows for need in attention.needs(AT)}

    assert needs["Jobs that are tried again"][0].remark == ("Next try Nov 1, 2026, 12:00 UTC. 503")


def test_an_order_that_waits_for_its_payment_needs_nobody(world):
    world.order.invoice = world.invoice
    world.order.save()

    assert "Orders to set up" not in [need.title for need in attention.needs(AT)]


def test_five_are_shown_and_the_rest_is_mentioned(vendor, db):
    for _ in range(6):
        make_world()

    failed = attention.needs(AT)[0]

    assert (len(failed.rows), failed.has_more) == (5, True)


def test_the_home_page_costs_the_same_however_much_is_wrong(world, staff):
    def cost():
        with CaptureQueriesContext(connection) as queries:
            staff.get("/staff/")
        return len(queries)

    few = cost()
    for _ in range(3):
        make_world()

    assert cost() == few <= 32


def test_money_is_added_up_per_currency(world):
    client = make_client(currency="USD")
    make_service(client, recurring="120", cycle="annual", currency="USD")
    make_service(client, recurring="7", currency="USD", status=ServiceStatus.CANCELLED)
    make_service(client, recurring="500", cycle="one_time", currency="USD")

    euro, dollar = figures.money(AT + timedelta(days=20))

    assert (euro.currency, euro.monthly) == ("EUR", Decimal("19.00"))
    assert (euro.owed, euro.owed_count) == (Decimal("19"), 1)
    assert (euro.overdue, euro.overdue_count) == (Decimal("19"), 1)
    assert (euro.invoiced, euro.received) == (Decimal("29"), Decimal("30"))
    assert (dollar.currency, dollar.monthly) == ("USD", Decimal("10.00"))


def test_an_invoice_is_overdue_from_the_day_after_its_due_day(world):
    on_the_day = figures.money(AT + timedelta(days=14))[0]
    day_after = figures.money(AT + timedelta(days=15))[0]

    assert (on_the_day.overdue_count, day_after.overdue_count) == (0, 1)


def test_growth_counts_what_stood_when_each_month_ended(vendor, db):
    client = make_client(created_at=AT - timedelta(days=40))
    make_service(client, recurring="10", activated_at=AT - timedelta(days=40))
    make_service(
        client, recurring="5", activated_at=AT - timedelta(days=40), ended_at=AT - timedelta(days=5)
    )
    make_service(client, recurring="8", activated_at=AT - timedelta(hours=1))

    months = figures.months(AT)

    assert [(m.label, m.monthly, m.clients, m.services) for m in months] == [
        ("Sep 2026", Decimal("15.00"), 1, 2),
        ("Oct 2026", Decimal("10.00"), 1, 1),
        ("Nov 2026", Decimal("18.00"), 1, 2),
    ]


# --- Search, reports, mails ---------------------------------------------------------------


@pytest.mark.parametrize("term", ["company", "waiting", "inv-2026", "ord0", "sepa"])
def test_search_finds_clients_services_invoices_orders_and_payments(term, world, staff):
    found = text(staff.get("/staff/search/", {"s": term, "extended": "1"}))

    addresses = {
        "company": reverse("staff:client", args=[world.client.pk]),
        "waiting": reverse("staff:service", args=[world.waiting.pk]),
        "inv-2026": reverse("staff:invoice", args=[world.invoice.pk]),
        "ord0": reverse("staff:order", args=[world.order.pk]),
        "sepa": reverse("admin:payments_transaction_change", args=[world.payment.pk]),
    }
    assert addresses[term] in found


def test_search_shows_nothing_one_may_not_see(world, as_role):
    found = text(as_role("").get("/staff/search/", {"s": "company", "extended": "1"}))

    assert "/staff/clients/" not in found


def test_open_invoices_are_sorted_by_age(world, staff):
    invoice = world.invoice
    rewrite_issued(invoice, due_date=(AT - timedelta(days=365)).date())

    file = staff.get(reverse("staff:report", args=["aging"]), {"format": "csv"})

    assert b"".join(file.streaming_content).decode().splitlines() == [
        "Client,Not due,1-30 days,31-60,61-90,Over 90,Open",
        f"{world.client},0.00 EUR,0.00 EUR,0.00 EUR,0.00 EUR,19.00 EUR,19.00 EUR",
    ]


@pytest.mark.parametrize("key", ["aging", "months", "products"])
def test_every_report_opens_empty_and_with_rows(key, staff, vendor):
    url = reverse("staff:report", args=[key])

    empty = staff.get(url).status_code
    make_world()

    assert (empty, staff.get(url).status_code) == (200, 200)


def test_an_unknown_report_is_not_found(staff):
    assert staff.get("/staff/reports/astrology/").status_code == 404


def test_a_mail_is_shown_as_it_was_in_a_locked_frame(world, staff):
    page = text(staff.get(reverse("staff:mail", args=[world.mail.pk])))
    body = staff.get(reverse("staff:mail-body", args=[world.mail.pk]))

    assert "Dear client" in page
    assert body.content == b"<p>Dear <b>client</b></p>"
    policy = body["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "script" not in policy
    assert body["X-Frame-Options"] == "SAMEORIGIN"


def test_a_mail_with_a_log_in_link_cannot_be_read_by_staff(world, staff):
    email = world.mail.email
    world.mail.delete()
    email.message = email.html_message = "https://portal/reset/secret-link"
    email.save()

    shown = text(staff.get(reverse("admin:post_office_email_change", args=[email.pk])))

    assert email.subject in shown
    assert "secret-link" not in shown
