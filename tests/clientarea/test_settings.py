"""The settings of a datastore on its page: small forms, jobs, and what they cost."""

import pytest

from backups.models import Datastore
from billing_portal.clients.models import Permission
from billing_portal.services.states import ServiceStatus
from provisioning.models import Job
from tests.backups.test_configuring import PRUNE, STANDING
from tests.factories import make_member

from .conftest import browser_of


@pytest.fixture
def backup(household):
    """A datastore whose settings were seen."""
    Datastore.objects.filter(service=household.backup).update(settings=STANDING)
    return household.backup


def send(browser, service, setting, **fields):
    posted = {"setting": setting, "request_key": "k1", **fields}
    return browser.post(f"/services/{service.pk}/settings/", posted, follow=True)


def text(response):
    return " ".join(response.content.decode().split())


def jobs():
    return [(job.kind, job.spec, job.requested_by) for job in Job.objects.all()]


def test_the_page_has_a_form_for_each_concern_filled_with_what_stands(browser, backup):
    page = browser.get(f"/services/{backup.pk}/").content.decode()

    for title in ("Autoscaling", "Autoscaling thresholds", "Speed", "Retention"):
        assert f"<h2>{title}</h2>" in page
    assert '<option value="500" selected>500 Mbit/s</option>' in page
    assert 'value="Mon,Thu 0,12:00"' in page
    assert "The settings of" not in page


def test_autoscaling_says_what_a_step_costs(browser, backup):
    page = text(browser.get(f"/services/{backup.pk}/"))

    assert "Each step of 100 GB, up or down</dt><dd>€1.00</dd>" in page


def test_settings_nobody_has_seen_yet_are_not_offered(browser, household):
    page = browser.get(f"/services/{household.backup.pk}/").content.decode()

    assert "Autoscaling thresholds" not in page


def test_saving_a_form_wishes_a_job_for_what_it_says(browser, backup):
    response = send(browser, backup, "speed", speed_mbit="100")

    assert jobs() == [("configure", {"speed_mbit": 100}, "Ann Smith")]
    assert "The speed will be changed within a minute" in text(response)
    assert "Changing its settings" in text(response)


def test_sending_a_form_twice_is_one_job(browser, backup):
    for _ in range(2):
        send(browser, backup, "autoscaling", autoscaling_enabled="on")

    assert jobs() == [
        (
            "configure",
            {"autoscaling_enabled": True, "autoscaling_scale_up_only": False},
            "Ann Smith",
        )
    ]


def test_what_is_so_already_is_not_wished_again(browser, backup):
    response = send(browser, backup, "speed", speed_mbit="500")

    assert jobs() == []
    assert "Speed is so already; nothing was changed." in text(response)


def test_thresholds_that_may_flap_come_back_with_a_warning_and_a_second_chance(browser, backup):
    fields = {"autoscaling_lower_percent": "79", "autoscaling_upper_percent": "80"}

    warned = send(browser, backup, "thresholds", **fields)
    assert "may go up and down for ever" in text(warned)
    assert "Set them all the same" in text(warned)
    assert jobs() == []

    send(browser, backup, "thresholds", **fields, anyway="on")
    assert [spec for _, spec, _ in jobs()] == [
        {"autoscaling_lower_percent": 79, "autoscaling_upper_percent": 80}
    ]


def test_retention_is_wished_whole(browser, backup):
    send(browser, backup, "retention", keep_last="9", schedule="daily")

    kept = dict.fromkeys(PRUNE, 0) | {"keep_last": 9, "schedule": "daily"}
    assert [spec for _, spec, _ in jobs()] == [{"prune": kept}]


def test_no_limit_at_all_is_said_to_keep_everything(browser, backup):
    kept = dict.fromkeys(PRUNE, 0) | {"schedule": "daily"}
    Datastore.objects.update(settings=STANDING | {"prune": kept})

    page = text(browser.get(f"/services/{backup.pk}/"))

    assert "No limit is set, so every backup is kept." in page


def test_an_unknown_form_is_not_found(browser, backup):
    assert send(browser, backup, "size", size_gb="20000").status_code == 404
    assert jobs() == []


def test_a_suspended_service_keeps_its_settings(browser, backup):
    backup.status = ServiceStatus.SUSPENDED
    backup.save()

    response = send(browser, backup, "speed", speed_mbit="100")

    assert "cannot be changed now" in text(response)
    assert jobs() == []


def test_who_may_only_look_cannot_change_settings(household, backup):
    member = make_member(household.client, Permission.PRODUCTS)
    browser = browser_of(member)

    assert send(browser, backup, "speed", speed_mbit="100").status_code == 403
    assert "Autoscaling thresholds" not in browser.get(f"/services/{backup.pk}/").content.decode()
    assert jobs() == []
