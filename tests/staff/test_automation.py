"""Automation in the dashboard: the calendar, the items, running now, the rules."""

from datetime import date

import pytest
import time_machine

from billing_portal.audit.models import Entry
from billing_portal.automation.models import AutomationSettings, TaskRun
from billing_portal.workflows import daily
from tests.automation.rows import mailed, make_overdue
from tests.conftest import SentTask
from tests.factories import make_placement, make_service, utc

pytestmark = pytest.mark.django_db

NOW = utc(2026, 5, 6, 9)
PAGE = "/staff/automation/"


@pytest.fixture(autouse=True)
def _today(vendor):
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def history(db):
    """Two days of work: a reminder on the fifth, a suspension that fails on the sixth."""
    invoice = make_overdue(make_service())
    daily.tick(utc(2026, 5, 5, 4))
    daily.tick(utc(2026, 5, 6, 4))
    return invoice


def test_the_calendar_shows_each_task_of_each_day(staff, history):
    daily.tick(NOW)

    page = staff.get(PAGE).content.decode()

    for word in ("Running", "May 5, 2026", "Done with failures", "Switched off"):
        assert word in page
    assert "0 done, 1 failed" in page


def test_silence_is_an_alarm(staff, history):
    assert "Not running" in staff.get(PAGE).content.decode()


def test_the_calendar_costs_the_same_however_much_was_done(
    staff, history, django_assert_max_num_queries
):
    for number in range(20):
        daily.run_day(date(2026, 4, 10 + number), NOW)

    with django_assert_max_num_queries(10):
        staff.get(PAGE)


def test_a_run_leads_to_each_invoice_and_client(staff, history):
    run = TaskRun.objects.get(task="reminders", business_day=date(2026, 5, 5))

    page = staff.get(f"{PAGE}{run.pk}/").content.decode()

    assert f"Second overdue reminder of {history} to Acme Ltd" in page
    assert f'href="/staff/invoices/invoice/{history.pk}/"' in page
    assert f'href="/staff/clients/client/{history.client_id}/"' in page


def test_a_failure_is_shown_with_its_reason(staff, history):
    run = TaskRun.objects.get(task="suspensions", business_day=date(2026, 5, 6))

    page = staff.get(f"{PAGE}{run.pk}/").content.decode()

    assert "has nothing at the vendor." in page


def test_what_failed_today_waits_on_the_home_page(staff, history):
    page = staff.get("/staff/").content.decode()

    assert "Daily work that failed" in page
    assert "Suspensions of 2026-05-06" in page


def test_running_now_says_first_what_it_would_do(staff):
    service = make_service()
    make_placement(service)
    invoice = make_overdue(service)

    page = staff.get(f"{PAGE}now/").content.decode()

    assert f"Second overdue reminder of {invoice}" in page
    assert f"invoice {invoice} has been due since 2026-05-01" in page
    assert (mailed(), TaskRun.objects.count()) == ([], 0)


def test_running_now_is_queued_and_noted(staff, boss, sent_tasks):
    response = staff.post(f"{PAGE}now/")

    assert (response.status_code, response["Location"]) == (302, PAGE)
    assert sent_tasks == [SentTask("billing_portal.workflows.tasks.run_today")]
    entry = Entry.objects.get(action="automation.run_requested")
    assert (entry.actor, entry.summary) == (boss, "The daily work of 2026-05-06 requested now")


def test_support_may_look_but_not_run(as_role):
    support = as_role("Support")

    assert support.get(PAGE).status_code == 200
    assert "Run now" not in support.get(PAGE).content.decode()
    assert support.post(f"{PAGE}now/").status_code == 403
    assert as_role("").get(PAGE).status_code == 403
    assert as_role("Billing").get(f"{PAGE}now/").status_code == 200


def test_the_rules_are_one_form_and_a_change_is_noted(staff, boss):
    response = staff.get("/staff/automation/automationsettings/", follow=True)
    assert "Days of grace after the first notice" in response.content.decode()

    form = {f.name: getattr(AutomationSettings(), f.name) for f in AutomationSettings._meta.fields}
    values = {k: v for k, v in form.items() if v is not None and v is not False}
    values["suspend_after_days"] = 9
    values["capture_retry_days"] = values["initial-capture_retry_days"] = "[0, 3, 7, 14]"
    response = staff.post("/staff/automation/automationsettings/1/change/", values)

    assert response.status_code == 302
    assert AutomationSettings.objects.get().suspend_after_days == 9
    entry = Entry.objects.get(action="automationsettings.changed")
    assert (entry.actor, entry.details["fields"]) == (boss, ["Days after the due date"])


def test_rules_that_contradict_each_other_are_refused_with_a_sentence(staff):
    staff.get("/staff/automation/automationsettings/", follow=True)

    response = staff.post(
        "/staff/automation/automationsettings/1/change/",
        {
            "daily_hour": 4,
            "remind_days_before": 3,
            "first_overdue_days": 4,
            "second_overdue_days": 1,
            "third_overdue_days": 10,
            "suspend_after_days": 5,
            "terminate_after_days": 30,
            "termination_grace_days": 7,
        },
    )

    assert "Each overdue reminder comes later than the one before it." in (
        response.content.decode()
    )
    assert AutomationSettings.objects.get().first_overdue_days == 1
