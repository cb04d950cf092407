"""What staff see and do about stored payment methods, tries and their schedule."""

from collections.abc import Iterator

import pytest
from django.core.exceptions import ValidationError

from billing_portal.automation.models import AutomationSettings
from billing_portal.payments import registry
from billing_portal.payments.models import CaptureAttempt, StoredMethod
from billing_portal.staff.forms import new_key
from tests.workflows.capturing import ask, install, store
from tests.workflows.money import bill, standing


@pytest.fixture(autouse=True)
def _gateway(settings, vendor) -> Iterator[None]:
    install(settings)
    yield
    registry.gateways.cache_clear()


@pytest.fixture
def invoice(db):
    return bill("30.00")


def text(response) -> str:
    return " ".join(response.content.decode().split())


def address(invoice) -> str:
    return f"/staff/invoices/invoice/{invoice.pk}/"


def test_staff_take_an_invoice_from_a_card_once_they_confirmed_it(staff, invoice):
    method = store(invoice.client)
    assert "Take from Visa 4242" in text(staff.get(address(invoice)))
    asked = text(staff.get(f"{address(invoice)}take/"))
    assert "Take €30.00 for" in asked
    assert CaptureAttempt.objects.count() == 0

    sent = {"method": method.pk, "key": new_key()}
    for _ in range(2):
        page = text(staff.post(f"{address(invoice)}take/", sent, follow=True))
    ask()

    assert standing(invoice) == ("paid", "0.00", "0.00")
    assert CaptureAttempt.objects.count() == 1
    assert "Under way" in page


def test_the_invoice_shows_each_try_and_why_it_failed(staff, invoice):
    method = store(invoice.client, "hard")
    staff.post(f"{address(invoice)}take/", {"method": method.pk, "key": new_key()})
    ask()

    page = text(staff.get(address(invoice)))

    assert "Declined" in page
    assert "The card is blocked. Not tried again." in page
    assert "Visa 0002 was refused" in page  # the mail about it
    assert "Take from" not in page


def test_without_a_method_the_page_says_that_nothing_can_be_taken(staff, invoice):
    assert "Nothing can be taken" in text(staff.get(f"{address(invoice)}take/"))

    staff.post(f"{address(invoice)}take/", {"method": "1", "key": new_key()})

    assert CaptureAttempt.objects.count() == 0


def test_the_client_page_lists_methods_and_staff_remove_one(staff, invoice):
    client = invoice.client
    assert "No card or mandate is stored." in text(staff.get(f"/staff/clients/client/{client.pk}/"))
    method = store(client)
    page = text(staff.get(f"/staff/clients/client/{client.pk}/"))
    assert "Visa 4242" in page
    assert "tok_" not in page

    remove = f"/staff/payments/method/{method.pk}/remove/"
    assert "never charged again" in text(staff.get(remove))
    assert StoredMethod.objects.get().status == "active"
    staff.post(remove)

    assert StoredMethod.objects.get().status == "removed"


@pytest.mark.parametrize("role", ["Support", "Read only", ""])
def test_only_billing_takes_and_removes(as_role, invoice, role):
    method = store(invoice.client)
    browser = as_role(role)

    sent = {"method": method.pk, "key": new_key()}
    assert browser.post(f"{address(invoice)}take/", sent).status_code == 403
    assert browser.post(f"/staff/payments/method/{method.pk}/remove/").status_code == 403
    assert CaptureAttempt.objects.count() == 0
    assert StoredMethod.objects.get().status == "active"


def test_billing_may(as_role, invoice):
    method = store(invoice.client)

    sent = {"method": method.pk, "key": new_key()}
    assert as_role("Billing").post(f"{address(invoice)}take/", sent).status_code == 302
    assert CaptureAttempt.objects.count() == 1


def test_the_settings_page_has_the_schedule(staff):
    page = text(staff.get("/staff/automation/automationsettings/", follow=True))

    assert "Automatic payments" in page
    assert "[0, 3, 7, 14]" in page


@pytest.mark.parametrize(
    "days", [[], [3, 0], [0, 0], [-1], [0, 91], ["0"], [True], [1.5], {"0": 1}, "0", None]
)
def test_a_schedule_that_is_none_is_refused(days):
    with pytest.raises(ValidationError, match="rising order"):
        AutomationSettings(capture_retry_days=days).clean()
