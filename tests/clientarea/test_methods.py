"""Payment methods as the client sees them: leaving one, choosing, removing, paying with it."""

from collections.abc import Iterator

import pytest

from billing_portal.clients.models import Permission
from billing_portal.payments import registry
from billing_portal.payments.models import CaptureAttempt, StoredMethod
from tests.clientarea.conftest import NOW, browser_of
from tests.factories import make_client, make_member, make_user
from tests.workflows.capturing import ask, install, store
from tests.workflows.money import standing

KEY = "a" * 32
PAGE = "/payment-methods/"


@pytest.fixture(autouse=True)
def _gateway(settings) -> Iterator[None]:
    install(settings)
    yield
    registry.gateways.cache_clear()


def text(response) -> str:
    return " ".join(response.content.decode().split())


def leave(browser, card="works", key=KEY):
    return browser.post("/payment-methods/test/", {"card": card, "event_key": key}, follow=True)


def take(browser, household, method, key=KEY):
    address = f"/invoices/{household.invoice.pk}/take/"
    return browser.post(address, {"method": method.pk, "key": key}, follow=True)


def test_without_any_the_page_says_what_one_is_good_for(browser):
    page = text(browser.get(PAGE))

    assert "No payment methods yet" in page
    assert "Add a payment method: Test payment" in page


def test_a_card_is_left_at_the_gateways_page_and_shown_by_its_last_digits(browser):
    asked = browser.post("/payment-methods/add/", {"gateway": "test"})
    assert asked.url == "/payment-methods/test/"
    assert "Works, and expires next month" in text(browser.get(asked.url))

    page = text(leave(browser))
    leave(browser)  # the same form, sent twice

    assert "Your payment method was added." in page
    assert "Visa 4242" in page
    assert "Works until Nov 30, 2029" in page
    assert StoredMethod.objects.count() == 1


@pytest.mark.parametrize("sent", [{"card": "gold", "event_key": KEY}, {"card": "works"}, {}])
def test_a_form_that_is_not_ours_leaves_nothing(browser, sent):
    assert browser.post("/payment-methods/test/", sent).status_code == 200
    assert StoredMethod.objects.count() == 0


def test_an_unknown_way_to_pay_is_answered_by_a_sentence(browser):
    page = browser.post("/payment-methods/add/", {"gateway": "gold"}, follow=True)

    assert "Please choose which kind of payment method to add." in text(page)


def test_another_one_can_become_the_default(browser):
    leave(browser)
    leave(browser, "expires", "b" * 32)
    second = StoredMethod.objects.get(brand="Mastercard")

    page = text(browser.post(f"{PAGE}{second.pk}/default/", follow=True))

    assert "Your invoices are paid from Mastercard 4444 from now on." in page
    assert list(StoredMethod.objects.filter(is_default=True)) == [second]


def test_removing_asks_first(browser):
    leave(browser)
    method = StoredMethod.objects.get()

    assert "It is your default" in text(browser.get(f"{PAGE}{method.pk}/remove/"))
    assert StoredMethod.objects.get().status == "active"
    page = text(browser.post(f"{PAGE}{method.pk}/remove/", follow=True))

    assert "Visa 4242 was removed and is not charged any more." in page
    assert "No payment methods yet" in page


def test_it_is_not_removed_while_a_payment_is_under_way(browser, household):
    method = store(household.client)
    take(browser, household, method)

    page = text(browser.post(f"{PAGE}{method.pk}/remove/", follow=True))

    assert "A payment with Visa 4242 is under way." in page
    assert StoredMethod.objects.get().status == "active"


def test_an_invoice_is_paid_with_a_stored_card_at_once(browser, household):
    method = store(household.client)
    address = f"/invoices/{household.invoice.pk}/"
    assert "Pay with Visa 4242" in text(browser.get(address))

    page = text(take(browser, household, method))
    assert "We are asking for it from Visa 4242." in page
    assert "Pay with" not in page
    ask(NOW)

    assert standing(household.invoice)[0] == "paid"
    assert "Paid in full" in text(browser.get(address))


@pytest.mark.parametrize(
    ("answer", "state"), [({"pay": "yes"}, "paid"), ({"decline": "yes"}, "unpaid")]
)
def test_the_test_bank_answers_days_later(browser, household, answer, state):
    take(browser, household, store(household.client, "pending"))
    ask(NOW)
    address = f"/pay/test/answer/{household.invoice.pk}/"
    assert address in text(browser.get(f"/invoices/{household.invoice.pk}/"))
    assert "It came back" in text(browser.get(address))

    browser.post(address, answer)

    assert standing(household.invoice)[0] == state
    assert browser.get(address).status_code == 404


@pytest.mark.parametrize("method", ["", "x", "9" * 40, "²"])
def test_nonsense_takes_nothing(browser, household, method):
    sent = {"method": method, "key": KEY}

    page = browser.post(f"/invoices/{household.invoice.pk}/take/", sent, follow=True)

    assert page.status_code == 200
    assert CaptureAttempt.objects.count() == 0


def test_another_clients_method_is_not_there(browser, household):
    theirs = store(make_client(owner=make_user()))

    assert browser.get(f"{PAGE}{theirs.pk}/remove/").status_code == 404
    assert browser.post(f"{PAGE}{theirs.pk}/remove/").status_code == 404
    assert browser.post(f"{PAGE}{theirs.pk}/default/").status_code == 404
    assert "can no longer be used" in text(take(browser, household, theirs))
    assert CaptureAttempt.objects.count() == 0


def test_a_member_without_the_permission_is_refused(household):
    method = store(household.client)
    browser = browser_of(make_member(household.client, Permission.PRODUCTS))

    assert browser.get(PAGE).status_code == 403
    assert browser.post(f"{PAGE}{method.pk}/remove/").status_code == 403
    assert browser.post(f"/invoices/{household.invoice.pk}/take/").status_code == 403


def test_the_test_page_is_not_there_without_the_test_gateway(browser, settings):
    settings.PAYMENT_GATEWAYS = ["billing_portal.payments.gateways.bank_transfer.BankTransfer"]
    registry.gateways.cache_clear()

    assert browser.get("/payment-methods/test/").status_code == 404
    assert "We offer no way to leave a card" in text(browser.get(PAGE))
