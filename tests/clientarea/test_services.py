"""A service's page: secrets on request only, what it costs, and changing it."""

from datetime import date

import pytest

from billing_portal.audit.models import Entry
from billing_portal.clients.models import Permission
from billing_portal.services.states import ServiceStatus
from provisioning.models import Job
from tests.factories import make_member, utc

from .conftest import NOW, SECRET, browser_of, make_backup


def page_of(browser, service):
    return browser.get(f"/services/{service.pk}/").content.decode()


def jobs_of(service):
    return [(job.kind, job.spec) for job in Job.objects.filter(service=service)]


# --- Secrets ------------------------------------------------------------------------------


def test_the_page_has_what_is_needed_to_connect_but_no_password(browser, household):
    page = page_of(browser, household.backup)

    for value in ("fra1-1.vendor.example", "8007", "u1@pbs", "678b9f3a", "64:d3:64"):
        assert value in page
    assert SECRET not in page
    assert not Entry.objects.filter(action="service.credentials_revealed").exists()


def test_the_page_of_a_pbx_holds_no_phone_s_password(browser, household):
    page = page_of(browser, household.pbx)

    assert "acme.pbx.example" in page
    assert "Desk 1002" in page
    assert "sip-secret" not in page


def test_asking_for_the_password_shows_it_and_leaves_a_trace(browser, household):
    response = browser.post(f"/services/{household.backup.pk}/reveal/", {"secret": "password"})

    assert SECRET in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    entry = Entry.objects.get(action="service.credentials_revealed")
    assert (entry.actor, entry.client_ref, entry.details) == (
        household.owner,
        household.client.pk,
        {"secret": "password"},
    )
    assert SECRET not in f"{entry.summary} {entry.details}"
    assert SECRET not in page_of(browser, household.backup)


def test_with_htmx_only_the_one_row_comes_back(browser, household):
    response = browser.post(
        f"/services/{household.pbx.pk}/reveal/",
        {"secret": "extension-1002"},
        headers={"HX-Request": "true"},
    )

    page = response.content.decode()
    assert "sip-secret-1002" in page
    assert "sip-secret-1001" not in page
    assert "<html" not in page
    assert Entry.objects.get(action="service.credentials_revealed").details == {
        "secret": "extension-1002"
    }


@pytest.mark.parametrize("secret", ["", "host", "extension-1003", "extension-1001"])
def test_a_secret_that_is_none_is_not_there(browser, household, secret):
    response = browser.post(f"/services/{household.backup.pk}/reveal/", {"secret": secret})

    assert response.status_code == 404
    assert not Entry.objects.filter(action="service.credentials_revealed").exists()


def test_a_suspended_service_keeps_its_password_and_says_why(browser, household):
    household.backup.status = ServiceStatus.SUSPENDED
    household.backup.suspension_reason = "Invoice 7 is unpaid"
    household.backup.save()

    page = page_of(browser, household.backup)
    reveal = browser.post(f"/services/{household.backup.pk}/reveal/", {"secret": "password"})

    assert "Suspended: Invoice 7 is unpaid." in page
    assert "Your data is safe and stays where it is" in page
    assert reveal.status_code == 404
    assert "/reveal/" not in page
    assert "/resize/" not in page


def test_a_member_who_may_only_look_gets_no_buttons(household):
    member = make_member(household.client, Permission.PRODUCTS)

    page = page_of(browser_of(member), household.backup)

    assert "fra1-1.vendor.example" in page
    assert "/reveal/" not in page
    assert "/resize/" not in page
    assert "Billed use" not in page


# --- What it costs ------------------------------------------------------------------------


def test_the_cost_so_far_counts_each_size_for_its_hours(browser, household):
    # 500 GB x 200 h + 1000 GB x 268 h = 368 000 GB h of 720 h at 10.00: 5.11.
    # To the end of the month 1000 GB stand for 520 h: 8.61.
    panel = browser.get(f"/services/{household.backup.pk}/").context["panel"]

    assert (str(panel.cost_so_far), str(panel.forecast)) == ("5.11", "8.61")
    assert (panel.datastore.size_gb, panel.datastore.used_percent) == (1000, 74)


def test_the_cost_of_a_datastore_of_today_counts_from_today(browser, household):
    # Ordered and seen at noon on the 20th: 1000 GB for the 252 h left of 720 h are 3.50.
    young = make_backup(household.client, created_at=NOW, anchor_date=date(2026, 11, 1))
    datastore = young.datastores.get()
    datastore.spans.all().delete()

    panel = browser.get(f"/services/{young.pk}/").context["panel"]

    assert (str(panel.cost_so_far), str(panel.forecast)) == ("0.00", "3.50")
    assert panel.chart is None


def test_without_a_reading_the_page_says_when_the_next_one_is(browser, household):
    household.backup.datastores.get().spans.all().delete()
    household.backup.datastores.all().delete()

    page = page_of(browser, household.backup)

    assert "No hourly readings yet; the next one is at 13:00 UTC." in page
    assert "<canvas" not in page


def test_the_chart_holds_each_size_from_its_start_to_its_end(browser, household):
    chart = browser.get(f"/services/{household.backup.pk}/").context["panel"].chart

    (series,) = chart["series"]
    assert [(point["x"], point["y"], point["text"]) for point in series["points"]] == [
        (1793491200000, "500", "500 GB"),
        (1794211200000, "500", "500 GB"),
        (1794211200000, "1000", "1,000 GB"),
        (1795176000000, "1000", "1,000 GB"),
    ]


def test_calls_are_forecast_at_the_pace_of_the_period(browser, household):
    # 0.371 in 19 days since noon on the 1st; 29.5 days to the end: 0.576.
    panel = browser.get(f"/services/{household.pbx.pk}/").context["panel"]

    assert (panel.calls_made, str(panel.cost_so_far), str(panel.forecast)) == (2, "0.37", "0.58")
    assert [(str(day.date), day.calls, str(day.amount)) for day in panel.days] == [
        ("2026-11-20", 1, "0.356000"),
        ("2026-11-19", 1, "0.015000"),
    ]


def test_the_next_invoice_comes_with_the_next_period(browser, household):
    page = page_of(browser, household.backup)

    assert "Dec 1, 2026" in page
    assert "€10.00" in page


# --- Changing it --------------------------------------------------------------------------


def test_a_new_size_shows_its_price_before_anything_happens(browser, household):
    response = browser.post(f"/services/{household.backup.pk}/resize/", {"size_gb": "1500"})

    page = response.content.decode()
    assert "From 1000 GB to 1500 GB?" in page
    assert "+€5.00" in page
    assert jobs_of(household.backup) == []


def test_the_confirmation_queues_one_job_however_often_it_is_sent(browser, household):
    form = {"size_gb": "1500", "confirm": "yes", "request_key": "a" * 32}
    address = f"/services/{household.backup.pk}/resize/"

    first = browser.post(address, form, follow=True).content.decode()
    browser.post(address, form)

    assert jobs_of(household.backup) == [
        ("resize", {"size_gb": 1500, "name_prefix": "backup"}),
    ]
    assert "Change to 1500 GB requested." in first
    assert "Queued, it starts in a moment." in first


@pytest.mark.parametrize(
    ("size", "sentence"),
    [
        ("400", "400 GB is too small: the smallest size is 500 GB."),
        ("550", "The size goes in steps of 100 GB: 500 or 600 GB, not 550 GB."),
        ("10100", "10100 GB is too large: the largest size is 10000 GB."),
        ("1000", "It already has 1000 GB."),
        ("many", "Enter a whole number."),
        ("", "This field is required."),
    ],
)
def test_a_size_that_cannot_be_gets_its_sentence_beside_the_field(
    browser, household, size, sentence
):
    form = {"size_gb": size, "confirm": "yes", "request_key": "b" * 32}

    page = browser.post(f"/services/{household.backup.pk}/resize/", form).content.decode()

    assert 'id="id_size_gb_error"><p class="error">' in page
    assert sentence in page
    assert jobs_of(household.backup) == []


def test_only_the_number_of_a_pbx_s_extensions_can_change(browser, household):
    form = {
        "extensions": "3",
        "label": "other",
        "domain_suffix": "evil.example",
        "confirm": "yes",
        "request_key": "c" * 32,
    }

    browser.post(f"/services/{household.pbx.pk}/resize/", form)

    assert jobs_of(household.pbx) == [("resize", {**household.pbx.spec, "extensions": 3})]


def test_fewer_extensions_warn_that_some_are_removed(browser, household):
    page = browser.post(f"/services/{household.pbx.pk}/resize/", {"extensions": "1"})

    assert "The extensions with the highest numbers are removed" in page.content.decode()
    assert "Your price stays the same." in page.content.decode()


def test_while_a_job_is_under_way_no_second_change_is_offered(browser, household):
    add_job(household.backup, status=Job.Status.RUNNING)

    page = page_of(browser, household.backup)
    refused = browser.post(
        f"/services/{household.backup.pk}/resize/", {"size_gb": "1500"}, follow=True
    )

    assert 'action="/services/' + str(household.backup.pk) + '/resize/"' not in page
    assert "cannot be changed now" in refused.content.decode()
    assert Job.objects.count() == 1


# --- Work in progress ---------------------------------------------------------------------


def add_job(service, **fields):
    values = {"kind": Job.Kind.RESIZE, "request_key": "k", "due_at": NOW, "created_at": NOW}
    return Job.objects.create(service=service, **values | fields)


def test_a_job_that_waits_says_when_it_is_tried_again(browser, household):
    add_job(household.backup, due_at=utc(2026, 11, 20, 12, 5), attempts=1, last_error="503 from v")

    page = page_of(browser, household.backup)

    assert "The server did not answer yet. We keep trying." in page
    assert "Since Nov 20, 2026, 12:00 UTC, next try at 12:05 UTC" in page
    assert "503 from v" not in page


def test_a_failed_job_is_ours_to_mend(browser, household):
    add_job(household.backup, status=Job.Status.FAILED, last_error="token rejected")

    page = page_of(browser, household.backup)

    assert "It did not work, and we are looking into it." in page
    assert "token rejected" not in page


def test_the_line_asks_again_by_itself_until_the_job_ends(browser, household):
    job = add_job(household.backup, status=Job.Status.RUNNING)
    address = f"/services/{household.backup.pk}/job/"

    running = browser.get(address)
    job.status = Job.Status.DONE
    job.save()
    done = browser.get(address)

    assert 'hx-trigger="every 2s"' in running.content.decode()
    assert "HX-Refresh" not in running
    assert done["HX-Refresh"] == "true"


# --- The list -----------------------------------------------------------------------------


def test_the_list_shows_what_stands_and_keeps_ended_services_apart(browser, household):
    make_backup(household.client, label="Old one", status=ServiceStatus.TERMINATED)

    response = browser.get("/services/")

    assert [(str(row[0].label), row[1].word, row[3]) for row in response.context["rows"]] == [
        ("", "Active", "2 extensions"),
        ("Office", "Active", "1000 GB"),
    ]
    assert [row[0].label for row in response.context["ended"]] == ["Old one"]


def test_a_service_whose_module_is_not_installed_still_has_a_page(browser, household):
    product = household.backup.product
    product.module_key = "gone"
    product.save()

    assert browser.get("/services/").status_code == 200
    assert "Backup datastore" in page_of(browser, household.backup)
