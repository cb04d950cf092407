"""The month on a service's page, and the cap a client sets on it."""

from decimal import Decimal

import pytest

from backups.models import Datastore
from billing_portal.audit.models import Entry
from billing_portal.clients.models import Permission
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from provisioning.models import Job
from tests.backups.test_configuring import STANDING
from tests.factories import make_member, make_product

from .conftest import browser_of, make_backup


def text(response):
    return " ".join(response.content.decode().split())


def page_of(browser, service):
    return text(browser.get(f"/services/{service.pk}/"))


def send(browser, service, cap):
    return browser.post(f"/services/{service.pk}/cap/", {"cap": cap}, follow=True)


def cap_of(service):
    return Service.objects.get(pk=service.pk).usage_cap


def cap(service, amount):
    Service.objects.filter(pk=service.pk).update(usage_cap=Decimal(amount))


def resize(browser, service, size_gb, **fields):
    posted = {"size_gb": size_gb, "request_key": "k1", **fields}
    return browser.post(f"/services/{service.pk}/resize/", posted, follow=True)


# --- What it says -------------------------------------------------------------------------


def test_the_page_says_how_much_of_what_is_included_is_used(browser, household):
    """500 GB for 200 h and 1000 GB since: 861.11 GB on average, if it stays."""
    household.backup.usage_prices.update(included=Decimal(1000))

    page = page_of(browser, household.backup)

    assert "861.1 of 1,000 GB included (86%)" in page
    assert "average of the month, if the size stays" in page
    assert "11 days left" in page


def test_the_page_says_what_was_spent_of_the_cap_so_far_and_will_be(browser, household):
    """Noon of the 20th: 500 GB for 200 h and 1000 GB for 268 of 720 h are 511.11 GB."""
    cap(household.backup, "10")

    page = page_of(browser, household.backup)

    assert "€5.11 so far, €8.61 at the end of the month" in page
    assert "of your cap of €10.00 (86%)" in page


def test_without_a_cap_the_page_says_so_and_offers_one(browser, household):
    page = page_of(browser, household.backup)

    assert "There is no cap." in page
    assert "Set a cap" in page
    assert "calls are not cut off yet" in page


def test_what_has_ended_has_no_month(browser, household):
    Service.objects.filter(pk=household.backup.pk).update(status=ServiceStatus.TERMINATED)

    assert "This month" not in page_of(browser, household.backup)
    assert "has no usage that could be capped" in text(send(browser, household.backup, "5"))
    assert cap_of(household.backup) is None


# --- Setting it ---------------------------------------------------------------------------


def test_a_cap_is_set_and_taken_away_with_a_trace(browser, household):
    service = household.backup
    assert "Capped at €12.50." in text(send(browser, service, "12.50"))
    assert cap_of(service) == Decimal("12.500")

    assert "There is no cap any more." in text(send(browser, service, ""))
    assert cap_of(service) is None

    entries = Entry.objects.filter(action="service.usage_cap_changed").order_by("pk")
    assert [(one.actor, one.details) for one in entries] == [
        (household.owner, {"before": "", "after": "12.50"}),
        (household.owner, {"before": "12.500", "after": ""}),
    ]


@pytest.mark.parametrize("wrong", ["0", "-1", "1.005", "much", "NaN", "10000000000"])
def test_a_cap_that_is_none_is_refused_beside_the_field(browser, household, wrong):
    page = text(send(browser, household.backup, wrong))

    assert "This month" in page
    assert 'aria-invalid="true"' in page
    assert cap_of(household.backup) is None


def test_who_may_only_look_sees_the_month_and_sets_no_cap(household):
    viewer = browser_of(make_member(household.client, Permission.PRODUCTS))

    page = page_of(viewer, household.backup)

    assert "This month" in page
    assert "Set a cap" not in page
    assert send(viewer, household.backup, "5").status_code == 403
    assert cap_of(household.backup) is None


def test_a_service_of_another_client_is_not_there(browser, db):
    from_elsewhere = make_product()  # any key that is not a service of ours

    assert browser.post(f"/services/{from_elsewhere.pk + 9999}/cap/").status_code == 404


# --- What it keeps from happening ---------------------------------------------------------


def test_a_size_that_goes_beyond_the_cap_is_refused_with_the_amounts(browser, household):
    """511.11 GB stood so far; 2000 GB for the 252 h left are 700 more: 12.11."""
    cap(household.backup, "10")

    page = text(resize(browser, household.backup, 2000, confirm="yes"))

    assert (
        "With 2000 GB the usage of this month would come to €12.11, which is more than your cap "
        "of €10.00. Raise the cap or remove it, or choose a smaller size." in page
    )
    assert not Job.objects.exists()


def test_a_size_within_the_cap_is_taken(browser, household):
    """1300 GB for the 252 h left are 455 GB: 9.66."""
    cap(household.backup, "10")

    resize(browser, household.backup, 1300, confirm="yes")

    assert [(job.kind, job.spec["size_gb"]) for job in Job.objects.all()] == [("resize", 1300)]


def test_a_smaller_size_is_never_refused(browser, household):
    cap(household.backup, "1")

    resize(browser, household.backup, 900, confirm="yes")

    assert [job.spec["size_gb"] for job in Job.objects.all()] == [900]


def test_autoscaling_that_may_grow_beyond_the_cap_is_not_switched_on(browser, household):
    service = household.backup
    Datastore.objects.filter(service=service).update(
        settings={**STANDING, "autoscaling_enabled": False}
    )
    cap(service, "10")
    posted = {"setting": "autoscaling", "request_key": "k1", "autoscaling_enabled": "on"}

    page = text(browser.post(f"/services/{service.pk}/settings/", posted, follow=True))

    assert "It could grow to" in page
    assert "which is more than your cap of €10.00." in page
    assert not Job.objects.exists()

    cap(service, "1000")
    browser.post(f"/services/{service.pk}/settings/", posted)
    assert [job.kind for job in Job.objects.all()] == ["configure"]


def test_a_larger_size_by_way_of_a_change_is_refused_too(browser, household):
    service = make_backup(household.client, label="Second")  # nothing of it is unpaid
    service.product.upgrades_to.add(make_product(module_key="remote_backups", name="Backup L"))
    cap(service, "10")
    posted = {
        "target": f"{service.product_id}:monthly",
        "asked": f"{service.product_id}:monthly",
        "size_gb": "2000",
        "shown_total": "0.00",
        "request_key": "k",
    }

    page = text(browser.post(f"/services/{service.pk}/change/", posted, follow=True))

    assert "the usage of this month would come to €12.11" in page
    assert not Job.objects.exists()

    cap(service, "13")
    browser.post(f"/services/{service.pk}/change/", posted)
    assert [job.spec["size_gb"] for job in Job.objects.all()] == [2000]
