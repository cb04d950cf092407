"""Staff and the catalogue: prices on one page, copies, retiring, repricing, doubts."""

from decimal import Decimal

import pytest

from billing_portal.audit.models import Entry
from billing_portal.products.models import Choice, Option, OptionGroup, Product
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus
from tests.factories import make_client, make_product, make_service
from tests.options import make_option

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("vendor")]


@pytest.fixture
def product():
    return make_product(name="Box", recurring="10", setup_fee="5")


def address(product, page):
    return f"/staff/products/product/{product.pk}/{page}/"


def text(answer):
    return answer.content.decode()


# --- Prices -------------------------------------------------------------------------------


def test_every_cycle_and_currency_is_edited_on_one_page(staff, product):
    make_client(currency="USD")
    choice = make_option(product, "disks", "radio", {"ssd": "2"}).choices.get()
    Service.objects.update(recurring_amount=10)
    page = address(product, "prices")

    shown = text(staff.get(page))
    answer = staff.post(
        page,
        {
            "product-EUR-monthly-recurring": "12",
            "product-EUR-monthly-setup_fee": "",
            "product-EUR-annual-recurring": "120",
            "product-USD-monthly-recurring": "0",
            f"choice{choice.pk}-EUR-monthly-recurring": "2.50",
            f"choice{choice.pk}-USD-monthly-recurring": "3",
        },
    )

    assert 'name="product-USD-triennial-setup_fee"' in shown
    assert f'name="choice{choice.pk}-USD-monthly-recurring"' in shown
    assert f"choice{choice.pk}-EUR-annual" not in shown
    assert 'value="10.00"' in shown
    assert answer.status_code == 302
    assert sorted(product.prices.values_list("currency", "cycle", "recurring", "setup_fee")) == [
        ("EUR", "annual", Decimal(120), Decimal(0)),
        ("EUR", "monthly", Decimal(12), Decimal(0)),
        ("USD", "monthly", Decimal(0), Decimal(0)),
    ]
    assert sorted(choice.prices.values_list("currency", "recurring")) == [
        ("EUR", Decimal("2.50")),
        ("USD", Decimal(3)),
    ]
    assert set(Entry.objects.values_list("action", "actor_name")) == {
        ("product.prices_changed", "Bo Boss")
    }


def test_one_absurd_price_stores_nothing(staff, product):
    choice = make_option(product, "disks", "radio", {"ssd": "2"}).choices.get()

    answer = staff.post(
        address(product, "prices"),
        {
            "product-EUR-monthly-recurring": "12",
            f"choice{choice.pk}-EUR-monthly-recurring": "-2",
        },
    )

    assert answer.status_code == 200
    assert "A price is 0 or more." in text(answer)
    assert 'value="-2"' in text(answer)
    assert product.prices.get().recurring == Decimal(10)


def test_new_prices_leave_services_as_they_are(staff, product):
    make_service(product=product, recurring="10")

    staff.post(address(product, "prices"), {"product-EUR-monthly-recurring": "12"})

    assert Service.objects.get().recurring_amount == Decimal(10)


def test_another_currency_can_be_added(staff, product):
    page = address(product, "prices")

    assert 'name="product-CHF-monthly-recurring"' in text(staff.get(page, {"currency": "chf"}))
    assert "is not a currency code" in text(staff.get(page, {"currency": "XYZ"}, follow=True))


def test_the_page_names_what_is_doubtful(staff, product):
    make_client(currency="USD")

    assert "It has no price in USD" in text(staff.get(address(product, "prices")))


def test_an_option_group_has_its_prices_on_a_page_too(staff, product):
    choice = make_option(product, "disks", "radio", {"ssd": "2"}).choices.get()
    page = f"/staff/products/optiongroup/{OptionGroup.objects.get().pk}/prices/"

    assert "Disks: Ssd" in text(staff.get(page))
    staff.post(page, {f"choice{choice.pk}-EUR-monthly-recurring": "4"})

    assert choice.prices.get().recurring == Decimal(4)


def test_the_price_rows_of_the_form_refuse_absurd_prices_too(staff, product):
    form = {
        "name": "Box",
        "slug": product.slug,
        "group": product.group_id,
        "set_up": "on_payment",
        "position": "0",
        "quantity_mode": "one",
        "maximum_quantity": "1",
        "change_policy": "auto",
        "deletion_grace_days": "7",
        "prices-TOTAL_FORMS": "1",
        "prices-INITIAL_FORMS": "0",
        "prices-0-currency": "USD",
        "prices-0-cycle": "monthly",
        "prices-0-recurring": "1.005",
        "prices-0-setup_fee": "100000000",
    } | {f"{name}-{count}_FORMS": "0" for name in ("usage_prices", "fields") for count in FORMS}

    shown = text(staff.post(f"/staff/products/product/{product.pk}/change/", form))

    assert "USD has 2 decimal places." in shown
    assert "More than 99,999,999 cannot be right." in shown


FORMS = ("TOTAL", "INITIAL")


# --- Options ------------------------------------------------------------------------------


def test_staff_make_a_group_an_option_and_its_choices(staff, product):
    group = {
        "name": "Disks",
        "products": [product.pk],
        "options-TOTAL_FORMS": "1",
        "options-INITIAL_FORMS": "0",
        "options-0-name": "Disk kind",
        "options-0-key": "disks",
        "options-0-kind": "radio",
        "options-0-minimum": "0",
        "options-0-maximum": "1",
        "options-0-position": "0",
    }
    added = staff.post("/staff/products/optiongroup/add/", group)
    option = Option.objects.get()
    choices = {
        "group": option.group_id,
        "kind": "radio",
        "name": "Disk kind",
        "key": "disks",
        "minimum": "0",
        "maximum": "1",
        "position": "0",
        "choices-TOTAL_FORMS": "2",
        "choices-INITIAL_FORMS": "0",
        "choices-0-name": "HDD",
        "choices-0-key": "hdd",
        "choices-0-position": "0",
        "choices-1-name": "SSD",
        "choices-1-key": "ssd",
        "choices-1-position": "1",
    }
    changed = staff.post(f"/staff/products/option/{option.pk}/change/", choices)

    assert (added.status_code, changed.status_code) == (302, 302)
    assert list(product.option_groups.all()) == [option.group]
    shown = text(staff.get(f"/staff/products/optiongroup/{option.group_id}/change/"))
    assert f'href="/staff/products/option/{option.pk}/change/">2 to choose</a>' in shown
    assert list(Choice.objects.values_list("key", flat=True)) == ["hdd", "ssd"]
    as_box = staff.post(
        f"/staff/products/option/{option.pk}/change/",
        choices | {"kind": "yes_no", "choices-TOTAL_FORMS": "0"},
    )
    assert "has exactly one choice" in text(as_box)


# --- Copies and retiring ------------------------------------------------------------------


def test_a_copy_is_made_after_asking(staff, product):
    page = address(product, "duplicate")

    assert "It is hidden from the shop" in text(staff.get(page))
    answer = staff.post(page)

    copy = Product.objects.latest("pk")
    assert answer.url == f"/staff/products/product/{copy.pk}/change/"
    assert (copy.name, copy.hidden) == ("Copy of Box", True)


def test_retiring_says_what_becomes_of_the_services(staff, product):
    make_service(product=product)
    page = address(product, "retire")

    assert "Its 1 running services live on" in text(staff.get(page))
    assert not Product.objects.get().retired
    staff.post(page)

    assert Product.objects.get().retired
    assert Service.objects.get().status == ServiceStatus.ACTIVE


# --- Repricing ----------------------------------------------------------------------------


def test_repricing_shows_who_pays_what_and_then_does_it(staff, product):
    service = make_service(make_client(company_name="Acme"), product=product, recurring="9")
    page = address(product, "reprice")

    answer = staff.get(page)
    fingerprint = answer.context["plan"].fingerprint
    shown = text(answer)
    done = staff.post(page, {"fingerprint": fingerprint})

    assert "Acme" in shown
    assert "€9.00" in shown
    assert "€10.00" in shown
    assert "Change 1 price" in shown
    assert done.status_code == 302
    service.refresh_from_db()
    assert service.recurring_amount == Decimal(10)


def test_a_stale_plan_is_shown_again_and_changes_nothing(staff, product):
    make_service(product=product, recurring="9")

    answer = staff.post(address(product, "reprice"), {"fingerprint": "old"}, follow=True)

    assert "Please look again." in text(answer)
    assert Service.objects.get().recurring_amount == Decimal(9)


def test_with_nothing_to_reprice_there_is_no_button(staff, product):
    shown = text(staff.get(address(product, "reprice")))

    assert "There is nothing to do." in shown
    assert "s-button-danger-main" not in shown


# --- The check ----------------------------------------------------------------------------


def test_the_check_lists_products_that_lack_a_currency(staff, product):
    make_client(currency="USD")

    shown = text(staff.get("/staff/catalogue/"))

    assert "Clients may pay in EUR, USD." in shown
    assert "It has no price in USD: clients there cannot order it." in shown


def test_a_sound_catalogue_says_so(staff, product):
    assert "Nothing is doubtful about the 1 product for sale." in text(
        staff.get("/staff/catalogue/")
    )


# --- Who may ------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["prices", "duplicate", "retire", "reprice"])
def test_support_may_not_change_the_catalogue(as_role, product, page):
    make_service(product=product, recurring="9")
    browser = as_role("Support")

    assert browser.get(address(product, page)).status_code == 403
    assert browser.post(address(product, page)).status_code == 403
    assert Product.objects.count() == 1
    assert not Product.objects.get().retired
