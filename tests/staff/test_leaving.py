"""Changes and cancellations on the staff pages: seen, begun, undone, and by whom."""

import pytest
from django.urls import reverse

from billing_portal.orders.models import ServiceChange
from billing_portal.services.models import Cancellation, Service
from tests.factories import make_placement, make_product, make_promotion, make_service

KEY = {"key": "wish-1"}


@pytest.fixture
def service(vendor, db):
    product = make_product(recurring="30", name="Small")
    product.upgrades_to.add(make_product(recurring="60", name="Big"))
    service = make_service(product=product, recurring="0", label="Studio")
    account = vendor.add(f"fake-service{service.pk}")
    make_placement(service, remote_id=account.remote_id)
    return service


def text(response):
    return " ".join(response.content.decode().split())


def cancel(browser, service, when="now"):
    address = reverse("staff:service-cancel", args=[service.pk])
    return browser.post(address, {**KEY, "when": when, "reason": "moves away"})


def do(browser, key, **answers):
    found = Cancellation.objects.get()
    return browser.post(
        reverse("staff:cancellation-deed", args=[found.pk, key]), {**KEY, **answers}
    )


def status(service):
    return Service.objects.get(pk=service.pk).status


def overview(browser):
    return text(browser.get(reverse("staff:leaving")))


def test_nothing_under_way_is_said(staff, service):
    page = overview(staff)

    for sentence in (
        "No running service is cancelled.",
        "No data of an ended service is kept.",
        "No service is being changed.",
    ):
        assert sentence in page


def test_cancelled_for_a_client_and_withdrawn(staff, service, boss):
    cancel(staff, service, "period_end")

    found = Cancellation.objects.get()
    assert (found.reason, found.requested_by, status(service)) == ("moves away", boss, "active")
    assert "moves away" in overview(staff)
    assert "Cancelled: it ends on" in text(staff.get(reverse("staff:service", args=[service.pk])))

    do(staff, "withdraw")
    assert Cancellation.objects.get().status == "withdrawn"


def test_ended_before_its_day_and_brought_back(staff, service):
    cancel(staff, service, "period_end")

    do(staff, "end")
    assert status(service) == "cancelled"
    assert "Bring back" in overview(staff)
    do(staff, "keep")

    assert Cancellation.objects.get().status == "withdrawn"
    assert status(service) == "suspended"  # until the vendor has switched it on


def test_deleting_at_once_asks_for_the_name(staff, service):
    cancel(staff, service)

    assert "That is not the name. Type: Studio" in text(do(staff, "delete", name="studio"))
    assert Cancellation.objects.get().status == "open"
    do(staff, "delete", name="Studio")

    assert Cancellation.objects.get().status == "done"
    assert service.jobs.filter(kind="terminate").count() == 1


@pytest.mark.parametrize("key", ["withdraw", "end", "nonsense"])
def test_only_what_applies_can_be_done(staff, service, key):
    cancel(staff, service)

    assert do(staff, key).status_code == 404


def test_a_product_is_changed_at_the_price_shown(staff, service):
    big = service.product.upgrades_to.get()
    address = reverse("staff:service-becomes", args=[service.pk])
    choice = {"target": f"{big.pk}:monthly", "asked": f"{big.pk}:monthly", "size": "7"}

    page = text(staff.get(address, choice))
    assert "60.00" in page
    assert "A new billing period begins today." in page
    staff.post(address, {**choice, "shown_total": "60.00", "request_key": "k"})

    change = ServiceChange.objects.get()
    assert (change.status, f"{change.invoice.total:.2f}") == ("pending", "60.00")
    assert "unpaid" in overview(staff)
    staff.post(reverse("staff:change-withdraw", args=[change.pk]), {**KEY, "reason": "a mistake"})
    change.refresh_from_db()
    assert (change.status, change.problem) == ("cancelled", "a mistake")


def test_staff_use_a_code_for_upgrades_for_a_client(staff, service):
    code = make_promotion("UP20", value="20", for_upgrades=True)
    big = service.product.upgrades_to.get()
    address = reverse("staff:service-becomes", args=[service.pk])
    choice = {"target": f"{big.pk}:monthly", "asked": f"{big.pk}:monthly", "size": "7"}

    wrong = text(staff.get(address, {**choice, "promotion_code": "NOPE"}))
    right = {**choice, "promotion_code": "UP20", "shown_total": "48.00", "request_key": "k"}

    assert "There is no code NOPE. Please check how it is spelled." in wrong
    assert "Promotion UP20: 20 % off" in text(staff.get(address, right))
    staff.post(address, right)
    code.refresh_from_db()
    assert (f"{ServiceChange.objects.get().invoice.total:.2f}", code.uses) == ("48.00", 1)


@pytest.mark.parametrize(
    ("name", "args"),
    [("service-cancel", 1), ("service-becomes", 1), ("change-withdraw", 1), ("leaving", 0)],
)
def test_staff_without_a_role_sees_and_does_nothing(as_role, service, name, args):
    address = reverse(f"staff:{name}", args=[service.pk] * args)

    assert as_role("").get(address).status_code == 403
