"""Changing what a service is, and giving it up, on the client's pages."""

import re
from datetime import date

import pytest

from billing_portal.clients.models import Permission
from billing_portal.invoices.models import Invoice
from billing_portal.orders.models import ServiceChange
from billing_portal.products.models import Choice, ChoicePrice, Option, OptionGroup, Price
from billing_portal.services.models import Cancellation, Service
from provisioning.models import Job
from tests.factories import (
    make_client,
    make_member,
    make_product,
    make_promotion,
    make_service,
    make_user,
)

from .conftest import browser_of, make_backup


@pytest.fixture
def plain(household):
    """Something without a vendor at 30.00 a month, paid for all of November."""
    product = make_product(module_key="", recurring="30", name="Support")
    product.upgrades_to.add(make_product(module_key="", recurring="60", name="Big support"))
    return make_service(
        household.client,
        product=product,
        recurring="30",
        label="Help",
        anchor_date=date(2026, 11, 1),
        billed_until=date(2026, 12, 1),
    )


def page_of(browser, service, path=""):
    response = browser.get(f"/services/{service.pk}/{path}")
    return " ".join(response.content.decode().split())


def target(product, cycle="monthly"):
    return f"target={product.pk}:{cycle}&asked={product.pk}:{cycle}"


def confirm(browser, service, product, total, **more):
    return browser.post(
        f"/services/{service.pk}/change/",
        {
            "target": f"{product.pk}:monthly",
            "asked": f"{product.pk}:monthly",
            "shown_total": total,
            "request_key": "k",
            **more,
        },
        follow=True,
    )


# --- Changing -----------------------------------------------------------------------------


def test_the_price_is_shown_before_anything_happens(browser, plain):
    big = plain.product.upgrades_to.get()

    assert f'href="/services/{plain.pk}/change/"' in page_of(browser, plain)
    page = page_of(browser, plain, f"change/?{target(big)}")

    # 11 of 30 days are left: 22.00 - 11.00.
    figures = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page)
    assert [(words, amount.replace("\N{EURO SIGN}", "")) for words, amount in figures] == [
        ("Big support (Help)", "22.00"),
        ("Support (Help): unused from Nov 20, 2026 on", "\N{MINUS SIGN}11.00"),
        ("Due now", "11.00"),
        ("Next due on", "Dec 1, 2026"),
        ("Then monthly", "60.00"),
    ]
    assert not ServiceChange.objects.exists()


def test_a_code_for_upgrades_is_tried_on_the_page_and_used_with_the_change(browser, plain):
    big = plain.product.upgrades_to.get()
    assert "Promotion code" not in page_of(browser, plain, f"change/?{target(big)}")
    code = make_promotion("UP20", value="20", for_upgrades=True)

    refused = page_of(browser, plain, f"change/?{target(big)}&promotion_code=NOPE")
    page = page_of(browser, plain, f"change/?{target(big)}&promotion_code=up20")

    assert "There is no code NOPE. Please check how it is spelled." in refused
    assert 'name="shown_total" value="11.00"' in refused
    assert "Promotion UP20: 20 % off" in page
    assert 'name="shown_total" value="8.80"' in page
    confirm(browser, plain, big, "8.80", promotion_code="up20")
    code.refresh_from_db()
    assert (f"{ServiceChange.objects.get().invoice.total:.2f}", code.uses) == ("8.80", 1)


def test_confirmed_it_leads_to_paying(browser, plain):
    big = plain.product.upgrades_to.get()

    response = confirm(browser, plain, big, "11.00")

    change = ServiceChange.objects.get()
    assert [address for address, _ in response.redirect_chain] == [
        f"/invoices/{change.invoice_id}/"
    ]
    assert "Please choose how you would like to pay." not in response.content.decode()
    assert f"{change.invoice.total:.2f}" == "11.00"
    page = page_of(browser, plain)
    assert "Changing to Big support as soon as it is paid." in page
    assert "Withdraw the change" in page


def test_who_may_not_see_invoices_is_led_back_to_the_service(household, plain):
    member = browser_of(
        make_member(household.client, Permission.PRODUCTS, Permission.MANAGE_PRODUCTS)
    )

    response = confirm(member, plain, plain.product.upgrades_to.get(), "11.00")

    assert response.redirect_chain == [(f"/services/{plain.pk}/", 302)]
    assert "It is made as soon as this is paid." in response.content.decode()


@pytest.mark.parametrize("shown", ["1.00", "", "much", "sNaN", "Infinity"])
def test_a_price_the_page_did_not_show_is_not_charged(browser, plain, shown):
    confirm(browser, plain, plain.product.upgrades_to.get(), shown)
    confirm(browser, plain, plain.product.upgrades_to.get(), "nonsense")

    assert not ServiceChange.objects.exists()


def test_an_unpaid_change_is_withdrawn(browser, plain):
    confirm(browser, plain, plain.product.upgrades_to.get(), "11.00")

    browser.post(f"/services/{plain.pk}/change/withdraw/")

    assert ServiceChange.objects.get().status == "cancelled"
    assert Invoice.objects.latest("pk").status == "cancelled"


def test_a_downgrade_shows_the_credit(browser, plain):
    little = make_product(module_key="", recurring="15", name="Little")
    plain.product.upgrades_to.add(little)

    assert "<dt>Your credit</dt>" in page_of(browser, plain, f"change/?{target(little)}")
    confirm(browser, plain, little, "-5.50")

    client = Service.objects.get(pk=plain.pk).client
    assert (ServiceChange.objects.get().status, f"{client.credit_balance:.2f}") == (
        *("applied", "5.50"),
    )


def test_what_forbids_a_change_is_said_in_a_sentence(browser, household):
    backup = make_backup(household.client, label="Second")
    page = page_of(browser, backup, f"change/?{target(backup.product)}&size_gb=500")

    assert "740.0 GB are in use, which 500 GB do not hold" in page
    assert "Change to" not in page


def test_a_size_alone_costs_nothing_now_and_is_a_job(browser, household):
    backup = make_backup(household.client, label="Second")

    confirm(browser, backup, backup.product, "0", size_gb="1500")

    assert Job.objects.get().spec["size_gb"] == 1500
    assert ServiceChange.objects.get().status == "applying"


def test_options_are_changed_by_their_difference(browser, plain):
    group = OptionGroup.objects.create(name="More")
    group.products.add(plain.product)
    option = Option.objects.create(
        group=group, key="seats", name="Seats", kind="quantity", maximum=9
    )
    unit = Choice.objects.create(option=option, key="seat", name="Seat")
    ChoicePrice.objects.create(choice=unit, currency="EUR", cycle="monthly", recurring="3.00")

    page = page_of(browser, plain, f"change/?{target(plain.product)}&seats=2")
    # 6.00 more a month, 11 of 30 days: 2.20.
    assert "<dt>Due now</dt><dd>\N{EURO SIGN}2.20</dd>" in page

    confirm(browser, plain, plain.product, "2.20", seats="2")
    assert ServiceChange.objects.get().after["terms"]["recurring_amount"] == "36.00"


def test_another_cycle_is_offered_with_its_own_price(browser, plain):
    Price.objects.create(product=plain.product, currency="EUR", cycle="annual", recurring=300)

    page = page_of(browser, plain, f"change/?{target(plain.product, 'annual')}")

    assert "A new billing period begins today." in page
    assert "Nov 20, 2027" in page


def test_without_anything_to_become_no_change_is_offered(browser, household):
    service = make_service(
        household.client, product=make_product(module_key="", recurring="5"), recurring="5"
    )

    assert "Upgrade or change" not in page_of(browser, service)


# --- Giving it up -------------------------------------------------------------------------


def test_the_page_says_when_it_ends_and_what_happens_to_the_data(browser, household):
    page = page_of(browser, household.backup, "cancel/")

    assert "Dec 1, 2026" in page
    assert "Its data is deleted on Dec 8, 2026." in page
    assert "Its data is deleted on Nov 27, 2026." in page
    assert "For 7 days after its end you can keep it after all" in page


def test_cancelled_to_the_end_of_the_period_and_kept_after_all(browser, plain):
    browser.post(f"/services/{plain.pk}/cancel/", {"when": "period_end", "reason": "too dear"})

    found = Cancellation.objects.get()
    assert (found.ends_on, found.reason, found.requested_by.email) == (
        *(date(2026, 12, 1), "too dear", "ann@acme.example"),
    )
    page = page_of(browser, plain)
    assert "It is cancelled and ends on Dec 1, 2026." in page
    assert "Cancel this service" not in page

    browser.post(f"/services/{plain.pk}/keep/")
    assert Cancellation.objects.get().status == "withdrawn"


def test_cancelled_now_it_can_be_kept_while_its_data_is_there(browser, household):
    browser.post(f"/services/{household.backup.pk}/cancel/", {"when": "now"})

    page = page_of(browser, household.backup)
    assert "It has ended. Its data is deleted for good on Nov 27, 2026." in page
    browser.post(f"/services/{household.backup.pk}/keep/")

    assert Service.objects.get(pk=household.backup.pk).status == "active"


def test_without_a_grace_its_name_is_typed(browser, household):
    product = household.backup.product
    product.deletion_grace_days = 0
    product.save()
    address = f"/services/{household.backup.pk}/cancel/"

    page = " ".join(browser.post(address, {"when": "now", "name": "x"}).content.decode().split())
    assert "That is not its name. Type: Office" in page
    assert not Cancellation.objects.exists()

    browser.post(address, {"when": "now", "name": "Office"})
    assert Cancellation.objects.get().status == "done"


# --- Whose it is --------------------------------------------------------------------------

PATHS = ["change/", "cancel/"]
DEEDS = ["change/", "change/withdraw/", "cancel/", "keep/"]


@pytest.mark.parametrize("path", DEEDS)
def test_another_client_s_service_is_not_there(browser, path):
    other = make_service(make_client(owner=make_user()))

    assert browser.post(f"/services/{other.pk}/{path}").status_code == 404


@pytest.mark.parametrize("path", DEEDS)
def test_who_may_only_look_cannot_change_or_cancel(household, path):
    looker = browser_of(make_member(household.client, Permission.PRODUCTS))

    assert looker.post(f"/services/{household.backup.pk}/{path}").status_code == 403
    assert "Cancel this service" not in page_of(looker, household.backup)
