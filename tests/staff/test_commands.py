"""Module commands: the right wish, once, with who wished it in the audit log."""

import pytest
from django.urls import reverse

from billing_portal.audit.models import Entry
from billing_portal.services.states import ServiceStatus
from provisioning.models import Job
from tests.factories import make_placement, make_product, make_service
from tests.staff.world import SECRET

KEY = {"key": "wish-1"}


@pytest.fixture
def service(vendor, db):
    service = make_service(label="Studio")
    make_placement(service, credentials={"user": "acc", "phones": [{"password": SECRET}]})
    return service


def command(service, key):
    return reverse("staff:service-command", args=[service.pk, key])


def page(service):
    return reverse("staff:service", args=[service.pk])


def wishes(service):
    return list(service.jobs.order_by("pk").values_list("kind", "spec", "requested_by"))


def notes(service):
    return list(
        Entry.objects.filter(subject_type="services.service", subject_id=service.pk)
        .order_by("pk")
        .values_list("action", "actor_name", "summary")
    )


@pytest.mark.parametrize(
    ("key", "sent", "spec"),
    [
        ("refresh", {}, {}),
        ("resize", {"size": "8"}, {"size": 8}),
        ("change_password", {}, {}),
        ("suspend", {"reason": "Invoice overdue"}, {"reason": "Invoice overdue"}),
        ("terminate", {"name": "Studio"}, {}),
    ],
)
def test_a_command_queues_one_job_and_notes_who_asked(key, sent, spec, service, staff, sent_tasks):
    answer = staff.post(command(service, key), KEY | sent)

    assert answer["Location"] == page(service)
    ((kind, asked, requested_by),) = wishes(service)
    assert (kind, asked | spec, requested_by) == (key, asked, "Bo Boss")
    name = {"change_password": "Change password"}.get(key, key.capitalize())
    assert notes(service) == [
        (f"service.{key}_requested", "Bo Boss", f"{name} requested for {service}")
    ]


@pytest.mark.parametrize("key", ["refresh", "change_password"])
def test_a_form_sent_twice_is_one_wish(key, service, staff):
    staff.post(command(service, key), KEY)
    staff.post(command(service, key), KEY)

    assert [kind for kind, _, _ in wishes(service)] == [key]
    assert len(notes(service)) == 1


def test_a_pending_service_is_created_and_only_once(vendor, staff):
    service = make_service(status=ServiceStatus.PENDING)
    make_placement(service, remote_id="", remote_name="")

    staff.post(command(service, "create"), KEY)
    again = staff.post(command(service, "create"), {"key": "wish-2"}, follow=True)

    assert wishes(service) == [("create", {"size": 5}, "Bo Boss")]
    assert "Create does not apply" in again.content.decode()


def test_a_creation_resolved_by_hand_may_be_wished_again(vendor, staff):
    service = make_service(status=ServiceStatus.PENDING)
    make_placement(service, remote_id="", remote_name="")
    staff.post(command(service, "create"), KEY)
    service.jobs.update(status=Job.Status.RESOLVED)

    staff.post(command(service, "create"), {"key": "wish-2"})

    assert [kind for kind, _, _ in wishes(service)] == ["create", "create"]


def test_a_suspended_service_comes_back(service, staff):
    service.status = ServiceStatus.SUSPENDED
    service.save()

    staff.post(command(service, "unsuspend"), KEY)

    assert wishes(service) == [("unsuspend", {}, "Bo Boss")]


def test_where_the_vendor_cannot_suspend_it_is_commercial_and_the_page_says_so(vendor, staff):
    service = make_service(product=make_product(module_key="plain"))
    make_placement(service)

    before = staff.get(command(service, "suspend")).content.decode()
    staff.post(command(service, "suspend"), KEY | {"reason": "Invoice overdue"})

    service.refresh_from_db()
    assert "The vendor cannot suspend, so this is a commercial suspension" in before
    assert "Plain vendor cannot suspend." in staff.get(page(service)).content.decode()
    assert (service.status, service.suspension_reason) == ("suspended", "Invoice overdue")
    assert wishes(service) == []
    assert [action for action, _, _ in notes(service)] == [
        "service.suspended",
        "service.suspend_requested",
    ]


def test_only_what_fits_the_state_and_the_vendor_is_offered(service, vendor, staff):
    plain = make_service(product=make_product(module_key="plain"))
    make_placement(plain)
    ended = make_service(status=ServiceStatus.TERMINATED)

    def offered(one):
        shown = staff.get(page(one)).content.decode()
        keys = ("create", "refresh", "resize", "change_password")
        keys += ("suspend", "unsuspend", "terminate")
        return [key for key in keys if f"/do/{key}/" in shown]

    assert offered(service) == ["refresh", "resize", "change_password", "suspend", "terminate"]
    assert offered(plain) == ["refresh", "resize", "suspend", "terminate"]
    assert offered(ended) == []


def test_terminating_restates_the_consequence_and_asks_for_the_name(service, staff):
    shown = staff.get(command(service, "terminate")).content.decode()
    refused = staff.post(command(service, "terminate"), KEY | {"name": "Studi"})

    assert "deleted for good" in shown
    assert "That is not the name. Type: Studio" in refused.content.decode()
    assert wishes(service) == []
    assert notes(service) == []


def test_a_size_the_product_does_not_have_is_refused_with_the_reason(service, staff):
    refused = staff.post(command(service, "resize"), KEY | {"size": "11"})

    assert "The size must be from 1 to 10." in refused.content.decode()
    assert wishes(service) == []
    assert notes(service) == []


def test_a_suspension_without_a_reason_is_refused(service, staff):
    refused = staff.post(command(service, "suspend"), KEY)

    assert "This field is required." in refused.content.decode()
    assert wishes(service) == []


def test_an_unknown_command_is_not_found(service, staff):
    assert staff.post(command(service, "explode"), KEY).status_code == 404


def test_credentials_are_shown_only_on_reveal_and_that_is_noted(service, staff):
    looked = staff.get(page(service)).content.decode()
    by_link = staff.get(reverse("staff:service-reveal", args=[service.pk]))
    assert notes(service) == []

    revealed = staff.post(reverse("staff:service-reveal", args=[service.pk]))

    assert SECRET not in looked
    assert (by_link.status_code, by_link["Location"]) == (302, page(service))
    assert SECRET in revealed.content.decode()
    assert "phones 1 password" in revealed.content.decode()
    assert "no-store" in revealed["Cache-Control"]
    assert notes(service) == [
        ("service.credentials_revealed", "Bo Boss", f"Credentials of {service} revealed")
    ]


def test_the_page_updates_itself_while_a_job_is_open_and_reloads_when_it_is_done(service, staff):
    staff.post(command(service, "refresh"), KEY)
    live = reverse("staff:service-live", args=[service.pk])

    waiting = staff.get(live)
    service.jobs.update(status=Job.Status.DONE)
    done = staff.get(live)

    assert 'hx-trigger="every 3s"' in waiting.content.decode()
    assert "HX-Refresh" not in waiting
    assert "hx-trigger" not in done.content.decode()
    assert done["HX-Refresh"] == "true"


def test_a_failed_job_is_explained_on_the_service_with_what_to_do(world, staff):
    shown = staff.get(page(world.service)).content.decode()

    assert "The vendor said no." in shown
    assert reverse("staff:jobs-retry") in shown
    assert reverse("staff:jobs-resolve") in shown


def test_staff_change_the_label_and_the_price_and_nothing_else(service, staff):
    form = {"label": "Archive", "recurring_amount": "12.50", "status": "terminated"}

    staff.post(reverse("admin:services_service_change", args=[service.pk]), form)

    service.refresh_from_db()
    assert (service.label, str(service.recurring_amount)) == ("Archive", "12.500")
    assert service.status == "active"
    assert [action for action, _, _ in notes(service)] == [
        "service.price_changed",
        "service.changed",
    ]
