"""Orders, jobs and servers: what staff do about them."""

from datetime import date

import pytest
from django.urls import reverse

from billing_portal.audit.models import Entry
from billing_portal.invoices.models import InvoiceStatus
from billing_portal.orders.models import Order
from billing_portal.services.states import ServiceStatus
from provisioning.contract import Check
from provisioning.models import Job, Server
from tests.factories import make_invoice, make_placement, make_server, make_service, utc
from tests.staff.world import SECRET, make_world

KEY = {"key": "wish-1"}


def text(answer):
    return " ".join(answer.content.decode().split())


def actions():
    return list(Entry.objects.order_by("pk").values_list("action", "actor_name"))


# --- Orders -------------------------------------------------------------------------------


def test_an_order_shows_its_progress_and_offers_set_up(world, staff):
    shown = text(staff.get(reverse("staff:order", args=[world.order.pk])))

    assert "Waits for staff" in shown
    assert "Set up now" in shown
    assert "Cancel order" in shown


def test_setting_up_by_hand_starts_the_services_and_is_noted(world, staff):
    Entry.objects.all()._raw_delete(using="default")
    url = reverse("staff:order-set-up", args=[world.order.pk])

    answer = staff.post(url, KEY)
    again = staff.post(url, {"key": "wish-2"}, follow=True)

    job = Job.objects.get(service=world.waiting)
    assert answer["Location"] == reverse("staff:order", args=[world.order.pk])
    assert (job.kind, job.requested_by) == ("create", "Bo Boss")
    assert "Nothing of this order waits for set-up." in text(again)
    assert actions() == [("order.set_up_requested", "Bo Boss")]


def test_setting_up_an_unpaid_order_warns_first(world, staff):
    world.order.invoice = world.invoice
    world.order.save()

    shown = text(staff.get(reverse("staff:order-set-up", args=[world.order.pk])))

    assert f"Invoice {world.invoice.number} is not paid yet." in shown


def test_an_order_is_cancelled_with_its_services(world, staff):
    url = reverse("staff:order-cancel", args=[world.order.pk])

    staff.post(url, KEY | {"reason": "Ordered twice"})

    world.order.refresh_from_db()
    world.waiting.refresh_from_db()
    assert world.order.status == Order.Status.CANCELLED
    assert world.waiting.status == ServiceStatus.CANCELLED


def test_an_order_of_which_something_started_is_not_cancelled(world, staff):
    staff.post(reverse("staff:order-set-up", args=[world.order.pk]), KEY)

    url = reverse("staff:order-cancel", args=[world.order.pk])
    refused = staff.post(url, {"key": "wish-2", "reason": "Too late"})

    world.order.refresh_from_db()
    assert "has already been started" in text(refused)
    assert world.order.status == Order.Status.PLACED


# --- Invoices -----------------------------------------------------------------------------


def test_an_invoice_shows_lines_with_their_evidence_payments_and_mails(world, staff):
    shown = text(staff.get(reverse("staff:invoice", args=[world.invoice.pk])))

    assert "Line 1" in shown and "Line 2" in shown
    assert "Why €10.00" in shown
    assert world.payment.external_id in shown
    assert reverse("staff:mail", args=[world.mail.pk]) in shown
    assert "€29.00" in shown
    assert "Cancel invoice" not in shown  # something was paid


def test_the_pdf_is_a_pdf(world, staff):
    answer = staff.get(reverse("staff:invoice-pdf", args=[world.invoice.pk]))

    assert answer["Content-Type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")


def test_an_invoice_that_was_paid_in_part_is_not_cancelled(world, staff):
    url = reverse("staff:invoice-cancel", args=[world.invoice.pk])

    refused = staff.post(url, KEY | {"reason": "mistake", "periods": "never"})

    world.invoice.refresh_from_db()
    assert "cannot be cancelled" in text(refused)
    assert world.invoice.status == InvoiceStatus.UNPAID


def test_cancelling_asks_what_becomes_of_the_periods(world, staff):
    service = make_service(
        world.client, recurring="30.00", billed_until=date(2027, 1, 1), status="active"
    )
    renewal = make_invoice(world.client, advance={service: "30.00"})
    url = reverse("staff:invoice-cancel", args=[renewal.pk])

    asked = staff.post(url, KEY | {"reason": "wrong price"})
    renewal.refresh_from_db()
    assert "This field is required." in text(asked)
    assert renewal.status == InvoiceStatus.UNPAID

    staff.post(url, KEY | {"reason": "wrong price", "periods": "again"})

    renewal.refresh_from_db()
    service.refresh_from_db()
    assert renewal.status == InvoiceStatus.CANCELLED
    assert service.billed_until == date(2026, 12, 1)


# --- Jobs ---------------------------------------------------------------------------------


def test_the_queue_shows_what_failed_what_waits_and_which_servers_pause(world, staff):
    waiting = make_service()
    make_placement(waiting)
    Job.objects.create(
        service=waiting,
        kind=Job.Kind.REFRESH,
        request_key="w",
        due_at="2127-01-01T00:00Z",
        created_at="2026-11-01T00:00Z",
        attempts=2,
        last_error="503, try later",
    )

    shown = text(staff.get(reverse("staff:jobs")))

    assert "The vendor said no." in shown
    assert "503, try later" in shown
    assert "Jan 1, 2127, 00:00 UTC" in shown
    assert f"{world.server}</a> is left alone until" in shown
    assert 'hx-trigger="every 5s' in shown


def test_several_failed_jobs_are_queued_again_at_once(world, staff):
    other = make_world().job
    Entry.objects.all()._raw_delete(using="default")

    answer = staff.post(reverse("staff:jobs-retry"), {"job": [world.job.pk, other.pk]}, follow=True)

    assert set(Job.objects.values_list("status", flat=True)) == {"queued"}
    assert "2 jobs queued again" in text(answer)
    assert actions() == [("job.retried", "Bo Boss")] * 2


def test_a_job_is_resolved_with_a_reason_and_not_without(world, staff):
    url = reverse("staff:jobs-resolve")
    Entry.objects.all()._raw_delete(using="default")

    refused = staff.post(url, KEY | {"job": [world.job.pk]}, follow=True)
    assert "Say in a few words why" in text(refused)
    assert actions() == []

    staff.post(url, KEY | {"job": [world.job.pk], "reason": "Done in the vendor's panel"})

    world.job.refresh_from_db()
    assert world.job.status == Job.Status.RESOLVED
    entry = Entry.objects.get()
    assert (entry.action, entry.actor_name) == ("job.resolved", "Bo Boss")
    assert "Done in the vendor's panel" in entry.summary


def test_a_job_that_is_not_failed_is_left_alone(world, staff):
    Job.objects.update(status=Job.Status.DONE)

    answer = staff.post(reverse("staff:jobs-retry"), {"job": [world.job.pk]}, follow=True)

    assert "None of the chosen jobs is still failed." in text(answer)
    assert Job.objects.get().status == Job.Status.DONE


@pytest.mark.parametrize("then", ["https://evil.example/", "//evil.example/", "javascript:x"])
def test_the_way_back_stays_on_this_portal(then, world, staff):
    answer = staff.post(reverse("staff:jobs-retry"), {"job": [world.job.pk], "then": then})

    assert answer["Location"] == reverse("staff:jobs")


# --- Servers ------------------------------------------------------------------------------


def test_a_connection_test_shows_each_layer_and_is_noted(world, staff, vendor, monkeypatch):
    checks = [Check("Address", True, "box, port 443"), Check("Token", False, "401 refused")]
    monkeypatch.setattr("tests.fakes.PlainModule.test_connection", lambda self: checks)

    shown = text(staff.post(reverse("staff:server-test", args=[world.server.pk])))

    assert "does not work" in shown
    assert "box, port 443" in shown and "401 refused" in shown
    entry = Entry.objects.latest("pk")
    assert (entry.action, entry.actor_name) == ("server.tested", "Bo Boss")


@pytest.mark.parametrize(("answers", "stays_paused"), [(True, False), (False, True)])
def test_a_server_that_passes_the_test_gets_jobs_again(
    world, staff, vendor, monkeypatch, answers, stays_paused
):
    Server.objects.update(paused_until=utc(2100, 1, 1), pause_reason="401: who are you?")
    checks = [Check("Token", answers, "seen")]
    monkeypatch.setattr("tests.fakes.PlainModule.test_connection", lambda self: checks)

    staff.post(reverse("staff:server-test", args=[world.server.pk]))

    assert (Server.objects.get().paused_until is not None) == stays_paused


def test_drift_lists_what_the_vendor_has_and_we_do_not(world, staff, vendor):
    vendor.add("stranger")

    shown = text(staff.post(reverse("staff:server-compare", args=[world.server.pk])))

    assert "stranger (acc-1) exists at the vendor, but no service knows it." in shown
    assert "Missing" in shown  # the world's service has nothing there
    assert [call for call in vendor.calls if call != "list"] == []


def test_a_vendor_that_is_down_is_a_sentence_not_a_failure(world, staff, vendor):
    vendor.unavailable = 1

    shown = staff.post(reverse("staff:server-compare", args=[world.server.pk]), follow=True)

    assert "could not be compared: no answer" in text(shown)


SERVER = {"name": "box-9", "base_url": "https://box.example.net", "max_services": "", "notes": ""}


def test_a_server_is_added_with_the_questions_of_its_module(staff, vendor):
    add = reverse("admin:provisioning_server_add")

    asked = text(staff.get(add))
    form = text(staff.get(add, {"module": "fake"}))
    staff.post(f"{add}?module=fake", SERVER | {"credential_token": SECRET})

    server = Server.objects.get()
    assert "Fake vendor" in asked and "Plain vendor" in asked
    assert 'name="credential_token"' in form
    assert (server.module_key, server.credentials) == ("fake", {"token": SECRET})


def test_an_answer_the_module_refuses_is_marked_and_nothing_is_stored(staff, vendor):
    add = reverse("admin:provisioning_server_add")

    refused = staff.post(f"{add}?module=fake", SERVER)

    assert "This field is required." in text(refused)
    assert not Server.objects.exists()


def test_an_empty_credential_keeps_the_stored_one_and_neither_is_shown(staff, vendor):
    server = make_server(credentials={"token": SECRET})
    change = reverse("admin:provisioning_server_change", args=[server.pk])

    form = text(staff.get(change))
    staff.post(change, SERVER | {"credential_token": ""})
    server.refresh_from_db()
    kept = server.credentials
    staff.post(change, SERVER | {"credential_token": "another-secret"})

    server.refresh_from_db()
    assert SECRET not in form
    assert "Stored. Leave empty to keep it." in form
    assert (server.name, kept) == ("box-9", {"token": SECRET})
    assert server.credentials == {"token": "another-secret"}
    summaries = " ".join(Entry.objects.values_list("summary", flat=True))
    assert SECRET not in summaries and "another-secret" not in summaries


def test_a_form_with_an_error_does_not_give_the_secret_back(staff, vendor):
    add = reverse("admin:provisioning_server_add")

    refused = staff.post(f"{add}?module=fake", SERVER | {"name": "", "credential_token": SECRET})

    assert refused.status_code == 200
    assert SECRET not in text(refused)


def test_a_second_default_server_is_refused_with_the_name_of_the_first(staff, vendor):
    make_server("first", is_default=True)
    add = reverse("admin:provisioning_server_add")
    form = SERVER | {"is_default": "on", "credential_token": SECRET}

    refused = staff.post(f"{add}?module=fake", form)

    assert "first already is. Untick it there first." in text(refused)
    assert Server.objects.count() == 1
