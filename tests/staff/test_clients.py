from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse

from billing_portal.accounts.models import User
from billing_portal.audit.models import Entry
from billing_portal.clients.models import Client
from billing_portal.invoices.models import Charge, Invoice
from billing_portal.payments.models import Transaction
from billing_portal.services.states import ServiceStatus
from provisioning.models import Job
from tests.factories import make_client, make_placement, make_service, make_user


def address(name, client):
    return reverse(f"staff:{name}", args=[client.pk])


def text(answer):
    return " ".join(answer.content.decode().split())


def test_the_summary_shows_who_money_services_open_things_and_timeline(world, staff):
    shown = text(staff.get(address("client", world.client)))

    assert str(world.client) in shown
    assert "Call in the morning." in shown
    assert "Service 7 has no agreed price." in shown
    assert "€19.00" in shown  # open, overdue or recurring
    assert world.invoice.number in shown
    assert "SEPA" in shown and "€20.00" in shown  # left over of the payment
    assert "The vendor said no." in shown
    assert world.order.number in shown
    assert "Changed" in shown


def test_the_timeline_is_filtered_by_kind(world, staff):
    page = address("client", world.client)

    assert "Changed" in text(staff.get(page, {"kind": "service"}))
    assert "Nothing has happened yet." in text(staff.get(page, {"kind": "invoice"}))


def test_a_client_that_does_not_exist_is_not_found(staff):
    assert staff.get("/staff/clients/client/999/").status_code == 404


# --- Recording a payment ------------------------------------------------------------------


@pytest.fixture
def ordered(world):
    """The world's pending service, ordered with its unpaid invoice."""
    world.order.invoice = world.invoice
    world.order.save()
    return world


def payment_form(world, **changed):
    form = {
        "invoice": world.invoice.pk,
        "amount": "19.00",
        "reference": "TRF 77",
        "received_on": "2026-11-02",
    }
    return form | changed


def test_a_payment_that_settles_the_invoice_starts_what_was_ordered(ordered, staff):
    url = address("client-payment", ordered.client)

    answer = staff.post(url, payment_form(ordered))

    ordered.invoice.refresh_from_db()
    payment = Transaction.objects.get(external_id="TRF 77")
    assert answer["Location"] == reverse("staff:invoice", args=[ordered.invoice.pk])
    assert (payment.gateway, payment.amount) == ("bank_transfer", Decimal("19"))
    assert payment.received_at.date() == date(2026, 11, 2)
    assert ordered.invoice.status == "paid"
    assert [job.kind for job in Job.objects.filter(service=ordered.waiting)] == ["create"]
    entry = Entry.objects.get(action="payment.received")
    assert (entry.actor_name, entry.client_ref) == ("Bo Boss", ordered.client.pk)


def test_a_part_payment_leaves_the_invoice_open_and_starts_nothing(ordered, staff):
    staff.post(address("client-payment", ordered.client), payment_form(ordered, amount="5"))

    ordered.invoice.refresh_from_db()
    assert (ordered.invoice.status, ordered.invoice.balance) == ("unpaid", Decimal("14"))
    assert not Job.objects.filter(service=ordered.waiting).exists()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"amount": "0"}, "Ensure this value is greater than or equal to 0.001."),
        ({"amount": "1.005"}, "EUR has 2 decimal places."),
        ({"reference": ""}, "This field is required."),
        ({"received_on": "2126-01-01"}, "This day is in the future."),
        ({"invoice": "999"}, "Select a valid choice."),
    ],
)
def test_a_payment_that_cannot_be_is_refused_beside_its_field(changed, sentence, world, staff):
    before = Transaction.objects.count()

    answer = staff.post(address("client-payment", world.client), payment_form(world, **changed))

    assert sentence in text(answer)
    assert Transaction.objects.count() == before


def test_one_reference_is_booked_once(world, staff):
    url = address("client-payment", world.client)
    staff.post(url, payment_form(world, amount="5"))

    again = staff.post(url, payment_form(world, amount="5"))

    assert "Already booked: €5.00" in text(again)
    assert Transaction.objects.filter(external_id="TRF 77").count() == 1


def test_an_invoice_of_another_client_cannot_be_paid_here(world, staff):
    other = make_client()

    answer = staff.post(address("client-payment", other), payment_form(world))

    assert "has no unpaid invoice" in text(answer)
    assert not Transaction.objects.filter(external_id="TRF 77").exists()


# --- Preview, and billing now -------------------------------------------------------------


@pytest.fixture
def due(vendor, db):
    """A client whose service has never been billed."""
    client = make_client()
    service = make_service(client, recurring="19", anchor_date=date(2026, 1, 1))
    make_placement(service)
    return client


def test_a_preview_shows_the_next_invoice_and_stores_nothing(due, staff):
    shown = text(staff.get(address("client-preview", due)))

    assert "€19.00" in shown
    assert "Issue this invoice now" in shown
    assert (Invoice.objects.count(), Charge.objects.count()) == (0, 0)


def test_billing_now_issues_what_the_preview_showed_once(due, staff):
    first = staff.post(address("client-bill", due))
    second = staff.post(address("client-bill", due), follow=True)

    invoice = Invoice.objects.get()
    assert first["Location"] == reverse("staff:invoice", args=[invoice.pk])
    assert "Nothing is due" in text(second)
    entry = Entry.objects.get(action="client.billed_by_hand")
    assert (entry.actor_name, entry.client_ref) == ("Bo Boss", due.pk)


def test_a_client_without_anything_due_is_told_so(db, staff):
    client = make_client()

    assert "Nothing is due now." in text(staff.get(address("client-preview", client)))


# --- Editing and adding -------------------------------------------------------------------

PROFILE = {
    "company_name": "New Ltd",
    "first_name": "Nia",
    "last_name": "New",
    "email": "nia@example.org",
    "address1": "2 Low Street",
    "postcode": "10117",
    "city": "Berlin",
    "country": "DE",
}
FORMSETS = {
    f"{name}-{field}": 0
    for name in ("contacts", "memberships")
    for field in ("TOTAL_FORMS", "INITIAL_FORMS")
}


def test_staff_add_a_client_whose_owner_gets_an_account(staff):
    form = PROFILE | {"currency": "EUR", "owner_email": "owner@example.org"}

    answer = staff.post(reverse("admin:clients_client_add"), form)

    client = Client.objects.get()
    owner = User.objects.get(email="owner@example.org")
    assert answer.status_code == 302
    assert str(client) == "New Ltd"
    assert list(client.memberships.values_list("user", "is_owner")) == [(owner.pk, True)]
    assert not owner.has_usable_password()
    assert Entry.objects.filter(action="client.registered").exists()


@pytest.mark.parametrize("sent", [{}, {"DELETE": "on", "is_owner": "on"}])
def test_the_owner_cannot_be_taken_away_from_a_client(staff, sent):
    owner = make_user()
    client = make_client(owner=owner)
    membership = client.memberships.get()
    row = {"id": membership.pk, "client": client.pk, "user": owner.pk} | sent
    form = PROFILE | FORMSETS | {"status": "active", "currency": "EUR"}
    form |= {"memberships-TOTAL_FORMS": 1, "memberships-INITIAL_FORMS": 1}
    form |= {f"memberships-0-{name}": value for name, value in row.items()}

    answer = staff.post(reverse("admin:clients_client_change", args=[client.pk]), form)

    assert "A client has exactly one owner." in answer.content.decode()
    assert client.memberships.get().is_owner


def test_a_client_is_edited_through_its_action_and_keeps_its_currency(staff, db):
    client = make_client()
    form = PROFILE | FORMSETS | {"status": "inactive", "currency": "USD"}

    staff.post(reverse("admin:clients_client_change", args=[client.pk]), form)

    client.refresh_from_db()
    assert (str(client), client.status, client.currency) == ("New Ltd", "inactive", "EUR")
    changed = Entry.objects.get()
    assert (changed.action, changed.actor_name) == ("client.profile_changed", "Bo Boss")
    assert "company_name" in changed.summary


def test_pending_services_are_no_monthly_worth(staff, db):
    client = make_client()
    make_service(client, recurring="50", status=ServiceStatus.PENDING)

    shown = text(staff.get(address("client", client)))

    assert "<dt>Recurring per month</dt><dd>€0.00</dd>" in shown
