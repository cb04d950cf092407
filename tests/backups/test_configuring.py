"""Changing settings: the rules, the forms, and the job that does it."""

import pytest

from backups.configuring import check_changes
from backups.models import Datastore
from backups.sandbox import DEMO_TOKEN
from backups.settings_forms import (
    AutoscalingForm,
    RetentionForm,
    SpeedForm,
    ThresholdsForm,
    flapping,
)
from billing_portal.services.states import ServiceStatus
from provisioning import actions, runner
from provisioning.contract import RemoteRejected, ServiceRef
from provisioning.models import Job, Placement
from tests.factories import AT, make_placement, make_product, make_server, make_service

PRUNE = {
    "keep_last": 3,
    "keep_hourly": 0,
    "keep_daily": 7,
    "keep_weekly": 4,
    "keep_monthly": 0,
    "keep_yearly": 0,
    "schedule": "Mon,Thu 0,12:00",
}
STANDING = {
    "speed_mbit": 500,
    "autoscaling_enabled": False,
    "autoscaling_scale_up_only": False,
    "autoscaling_lower_percent": 70,
    "autoscaling_upper_percent": 80,
    "prune": PRUNE,
}


def filled(kind, posted=None, *, size_gb=1000, **standing):
    form = kind(posted, standing=STANDING | standing, size_gb=size_gb)
    form.is_valid()
    return form


# --- The rules ---


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"size_gb": 700}, "A datastore has no setting called size_gb."),
        ({"speed_mbit": 300}, "The speed is one of 100, 250, 500 Mbit/s, not 300."),
        ({"autoscaling_enabled": 1}, "autoscaling_enabled is on or off, not 1."),
        (
            {"autoscaling_lower_percent": 50},
            "A threshold is a whole number from 0 to 100, not None.",
        ),
        (
            {"autoscaling_lower_percent": 80, "autoscaling_upper_percent": 70},
            "The lower threshold must be below the upper one: 80 is not below 70.",
        ),
        ({"prune": {"keep_last": 1}}, None),
    ],
)
def test_what_the_vendor_would_refuse_is_refused_first(changes, sentence):
    with pytest.raises(RemoteRejected) as caught:
        check_changes(changes)

    assert sentence is None or str(caught.value) == sentence


# --- The forms ---


def test_each_form_shows_what_stands_and_changes_only_its_own():
    form = filled(SpeedForm, {"speed_mbit": "250"}, speed_mbit=100)

    assert form.initial == {"speed_mbit": 100}
    assert form.changes == {"speed_mbit": 250}
    assert form.is_change
    assert not filled(SpeedForm, {"speed_mbit": "100"}, speed_mbit=100).is_change


def test_a_speed_the_vendor_does_not_have_is_refused():
    form = filled(SpeedForm, {"speed_mbit": "300"})

    assert form.errors["speed_mbit"] == [
        "Select a valid choice. 300 is not one of the available choices."
    ]


def test_an_unticked_box_is_off():
    form = filled(AutoscalingForm, {}, autoscaling_enabled=True)

    assert form.changes == {"autoscaling_enabled": False, "autoscaling_scale_up_only": False}
    assert form.is_change


def thresholds(lower, upper, **more):
    return {"autoscaling_lower_percent": lower, "autoscaling_upper_percent": upper, **more}


@pytest.mark.parametrize(
    ("posted", "sentence"),
    [
        (
            thresholds("80", "80"),
            "The lower threshold must be below the upper one: 80 is not below 80.",
        ),
        (thresholds("-1", "80"), "A threshold is a whole number from 0 to 100, not -1."),
        (thresholds("70", "101"), "A threshold is a whole number from 0 to 100, not 101."),
    ],
)
def test_thresholds_are_refused_as_the_vendor_refuses_them(posted, sentence):
    assert filled(ThresholdsForm, posted).non_field_errors() == [sentence]


def test_thresholds_that_may_flap_have_to_be_asked_for_twice():
    first = filled(ThresholdsForm, thresholds("70", "80"), size_gb=500)
    again = filled(ThresholdsForm, thresholds("70", "80", anyway="on"), size_gb=500)

    assert first.non_field_errors() == [
        "With 70 and 80 % the size may go up and down for ever: after a step down from 600 GB"
        " it may have to grow again. At most 66 % is steady."
    ]
    assert 'type="checkbox"' in str(first["anyway"])
    assert again.changes == {"autoscaling_lower_percent": 70, "autoscaling_upper_percent": 80}


def test_steady_thresholds_need_no_second_thought():
    form = filled(ThresholdsForm, thresholds("66", "80"), size_gb=500)

    assert form.is_valid()
    assert 'type="hidden"' in str(form["anyway"])
    assert flapping(STANDING | {"autoscaling_scale_up_only": True}, 500, 70, 80) == ""
    assert flapping(STANDING, 800, 70, 80) == ""


def test_retention_comes_whole_and_empty_is_no_limit():
    form = filled(RetentionForm, {"keep_last": "5", "keep_daily": "", "schedule": "daily"})

    assert form.changes == {
        "prune": {
            "keep_last": 5,
            "keep_hourly": 0,
            "keep_daily": 0,
            "keep_weekly": 0,
            "keep_monthly": 0,
            "keep_yearly": 0,
            "schedule": "daily",
        }
    }
    assert form.initial == {
        "keep_last": 3,
        "keep_daily": 7,
        "keep_weekly": 4,
        "schedule": "Mon,Thu 0,12:00",
    }


def test_retention_that_stands_is_no_change():
    posted = {"keep_last": "3", "keep_daily": "7", "keep_weekly": "4", "keep_hourly": "0"}

    assert not filled(RetentionForm, {**posted, "schedule": "Mon,Thu 0,12:00"}).is_change


def test_a_schedule_nobody_knows_is_refused_but_the_servers_own_may_stay():
    form = filled(RetentionForm, {"schedule": "sometimes"})
    own = filled(RetentionForm, {"schedule": "*-1..7 0:00"}, prune={"schedule": "*-1..7 0:00"})

    assert form.errors["schedule"][0].startswith("'sometimes' is not a schedule: write daily")
    assert own.errors == {}


# --- The job ---


@pytest.fixture
def service(db, sandbox, remote, module):
    """A service whose datastore of 500 GB stands in the sandbox."""
    product = make_product(module_key="remote_backups")
    service = make_service(product=product, spec={"size_gb": 500, "name_prefix": "backup"})
    server = make_server(
        module_key="remote_backups", base_url=sandbox.url, credentials={"token": DEMO_TOKEN}
    )
    state = module.create(ServiceRef(service.pk, service.client_id), service.spec)
    make_placement(service, server=server, remote_id=state.remote_id, remote_name=state.name)
    return service


def wish(service, key="a", **changes):
    return actions.request_configure(service.pk, changes=changes, request_key=key, at=AT)


def test_a_wish_for_settings_is_done_by_a_job_and_seen_at_once(service, remote):
    job = wish(service, autoscaling_enabled=True, speed_mbit=250)
    assert remote.datastores()[0]["speed"] == 500

    runner.run(job.pk, at=AT)

    (raw,) = remote.datastores()
    assert (raw["autoscalingEnabled"], raw["speed"], raw["size"]) == (True, 250, 500 * 10**9)
    job.refresh_from_db()
    assert job.status == Job.Status.DONE
    assert Placement.objects.get(service=service).details["speed_mbit"] == 250
    seen = Datastore.objects.get(service=service)
    assert seen.settings == STANDING | {"autoscaling_enabled": True, "speed_mbit": 250}


def test_a_parallel_autoscale_is_not_undone_by_a_settings_job(service, remote):
    job = wish(service, speed_mbit=100)
    remote.fault("autoscale", method="PATCH")

    runner.run(job.pk, at=AT)

    (raw,) = remote.datastores()
    assert (raw["size"], raw["speed"]) == (600 * 10**9, 100)
    assert Datastore.objects.get(service=service).size_gb == 600


def test_a_lost_reply_to_settings_is_made_good_by_the_next_try(service, remote):
    job = wish(service, prune=PRUNE | {"keep_last": 9})
    remote.fault("lose_reply", method="PATCH")
    runner.run(job.pk, at=AT)
    job.refresh_from_db()
    assert job.status == Job.Status.QUEUED

    Placement.objects.get(service=service).server.__class__.objects.update(paused_until=None)
    runner.run(job.pk, at=job.due_at)

    job.refresh_from_db()
    assert job.status == Job.Status.DONE
    assert [one.split()[0] for one in remote.requests()].count("PATCH") == 1
    assert remote.datastores()[0]["gc"]["keep-last"] == 9


def test_the_same_wish_is_one_job_and_a_forbidden_one_is_none(service):
    first = wish(service, speed_mbit=100)

    assert wish(service, speed_mbit=100) == first
    with pytest.raises(RemoteRejected):
        wish(service, key="b", speed_mbit=1)
    assert Job.objects.count() == 1


def test_a_suspended_service_keeps_its_settings(service):
    service.status = ServiceStatus.SUSPENDED
    service.save()

    with pytest.raises(actions.ServiceNotReady, match="suspended; change settings does not apply"):
        wish(service, speed_mbit=100)
