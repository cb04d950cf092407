"""Promotions, add-ons and client groups in the dashboard."""

from datetime import date

import pytest
import time_machine
from django.urls import reverse

from billing_portal.audit.models import Entry
from billing_portal.clients.models import ClientGroup
from billing_portal.invoices.models import Invoice
from billing_portal.products.models import Addon, AddonPrice
from billing_portal.promotions.models import Promotion
from billing_portal.services.models import ServiceAddon
from tests.factories import (
    AT,
    make_addon,
    make_client,
    make_client_group,
    make_product,
    make_promotion,
    make_service,
    make_service_addon,
)

pytestmark = pytest.mark.django_db

PROMOTION = {
    "code": "summer",
    "kind": "percent",
    "value": "20",
    "currency": "",
    "recurring": "on",
    "recurs_for": "2",
    "starts_at_0": "",
    "starts_at_1": "",
    "ends_at_0": "",
    "ends_at_1": "",
    "maximum_uses": "",
    "notes": "",
}


def address(model, page, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def post_promotion(staff, **fields):
    return staff.post(address(Promotion, "add"), PROMOTION | fields)


@pytest.fixture(autouse=True)
def _now():
    with time_machine.travel(AT, tick=False):
        yield


def test_staff_make_a_promotion_and_its_code_is_written_in_capitals(staff):
    assert post_promotion(staff).status_code == 302

    promotion = Promotion.objects.get()
    assert (promotion.code, promotion.recurring, promotion.recurs_for) == ("SUMMER", True, 2)
    assert Entry.objects.filter(action="promotion.added").count() == 1


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"value": "101"}, "A percentage is at most 100."),
        ({"value": "0"}, "This would take nothing off."),
        ({"kind": "fixed", "value": "5"}, "An amount needs a currency."),
        ({"kind": "fixed", "value": "5", "currency": "EUX"}, "is not a currency code"),
        ({"code": "so so"}, "Capital letters, digits, - and _."),
        (
            {"new_clients_only": "on", "existing_clients_only": "on"},
            "Nobody is both new and an existing client.",
        ),
        (
            {
                "starts_at_0": "2026-12-01",
                "starts_at_1": "00:00:00",
                "ends_at_0": "2026-12-01",
                "ends_at_1": "00:00:00",
            },
            "It would end before it starts.",
        ),
    ],
)
def test_a_promotion_that_makes_no_sense_is_refused_with_a_sentence(staff, fields, sentence):
    page = post_promotion(staff, **fields)

    assert page.status_code == 200
    assert sentence in page.content.decode()
    assert Promotion.objects.count() == 0


def test_a_second_promotion_of_the_same_code_is_refused(staff):
    make_promotion("SUMMER")

    assert "already exists" in post_promotion(staff).content.decode()


def test_ending_a_promotion_closes_it_from_now_on(staff):
    promotion = make_promotion("SUMMER")

    url = reverse("admin:promotions_promotion_end_now", args=[promotion.pk])

    asked = staff.get(url).content.decode()
    promotion.refresh_from_db()
    assert ("End SUMMER?" in asked, promotion.ends_at) == (True, None)
    staff.post(url)
    staff.post(url)

    promotion.refresh_from_db()
    assert promotion.ends_at == AT
    assert [entry.summary for entry in Entry.objects.filter(action="promotion.ended")] == [
        "Promotion SUMMER ended"
    ]


def test_the_list_says_what_each_promotion_does_and_how_it_stands(staff):
    make_promotion("A-OPEN", maximum_uses=5, uses=2, recurring=True)
    make_promotion("B-ENDED", ends_at=AT)
    make_promotion("C-USED-UP", maximum_uses=1, uses=1)

    page = staff.get(address(Promotion, "changelist")).content.decode()

    for text in ("10 % off", "on every payment", "2 of 5", "In use", "Ended", "Used up"):
        assert text in page, text


def test_orders_and_services_with_a_promotion_are_found_from_it(staff, world):
    promotion = world.service.promotion

    listed = staff.get(address(Promotion, "changelist")).content.decode()
    orders = staff.get(reverse("admin:promotions_promotion_show_orders", args=[promotion.pk]))

    assert f"?promotion__id__exact={promotion.pk}" in listed
    assert orders.url == f"/staff/orders/order/?promotion_code__exact={promotion.code}"
    assert staff.get(orders.url).status_code == 200
    found = staff.get(f"/staff/services/service/?promotion__id__exact={promotion.pk}")
    assert str(world.service.client) in found.content.decode()


def test_support_sees_promotions_and_changes_none(as_role):
    promotion = make_promotion("SUMMER")
    support = as_role("Support")

    assert support.get(address(Promotion, "changelist")).status_code == 200
    support.post(reverse("admin:promotions_promotion_end_now", args=[promotion.pk]))

    promotion.refresh_from_db()
    assert promotion.ends_at is None


def test_staff_make_an_addon_with_prices(staff):
    product = make_product()

    page = staff.post(
        address(Addon, "add"),
        {
            "name": "Snapshots",
            "slug": "snapshots",
            "products": [product.pk],
            "maximum_quantity": "1",
            "position": "0",
            "taxable": "on",
            "prices-TOTAL_FORMS": "1",
            "prices-INITIAL_FORMS": "0",
            "prices-0-currency": "eur",
            "prices-0-cycle": "monthly",
            "prices-0-recurring": "5",
            "prices-0-setup_fee": "2",
        },
    )

    assert page.status_code == 302
    price = AddonPrice.objects.get()
    assert (price.addon.name, price.currency, f"{price.recurring:.2f}") == (
        "Snapshots",
        "EUR",
        "5.00",
    )


def test_a_group_in_use_cannot_be_deleted(staff):
    used, unused = make_client_group("Partners"), make_client_group("Friends")
    make_client(group=used)

    assert staff.post(address(ClientGroup, "delete", used.pk), {"post": "yes"}).status_code == 403
    assert staff.post(address(ClientGroup, "delete", unused.pk), {"post": "yes"}).status_code == 302

    assert list(ClientGroup.objects.all()) == [used]


def test_many_groups_are_not_deleted_at_once(staff):
    group = make_client_group("Partners")
    fields = {"action": "delete_selected", "_selected_action": [group.pk], "post": "yes"}

    staff.post(address(ClientGroup, "changelist"), fields)

    assert ClientGroup.objects.count() == 1


def test_the_group_stands_with_its_colour_in_the_list_of_clients_and_on_their_page(staff, world):
    world.client.group.colour = "#ff8800"
    world.client.group.save()

    listed = staff.get("/staff/clients/client/").content.decode()
    page = staff.get(f"/staff/clients/client/{world.client.pk}/").content.decode()

    for html in (listed, page):
        assert "background:#ff8800" in html
        assert world.client.group.name in html


def test_staff_put_a_client_in_a_group(staff, world):
    group = make_client_group("Friends")
    url = address(type(world.client), "change", world.client.pk)
    form = staff.get(url).context["adminform"].form
    data = {k: v for k, v in form.initial.items() if v is not None and k in form.fields}
    forms = {
        f"{prefix}-{name}_FORMS": "0"
        for prefix in ("contacts", "memberships")
        for name in ("TOTAL", "INITIAL")
    }

    response = staff.post(url, data | forms | {"group": group.pk, "country": "DE"})

    assert response.status_code == 302, response.context["adminform"].form.errors
    world.client.refresh_from_db()
    assert world.client.group == group


def test_an_order_s_page_shows_its_addons_code_and_discounts(staff, world):
    item = world.order.items.get()
    item.addons = [{"name": "IP address", "quantity": 3}]
    item.discount_amount = 4
    item.save()
    type(world.order).objects.filter(pk=world.order.pk).update(promotion_code="SPRING")

    page = staff.get(f"/staff/orders/order/{world.order.pk}/").content.decode()

    assert "with 3 \N{MULTIPLICATION SIGN} IP address" in page
    assert ", code SPRING" in page
    assert "&minus;€4.00" in page


# --- Add-ons of a service -----------------------------------------------------------------


@pytest.fixture
def service():
    return make_service(product=make_product(module_key="", name="Mail"), recurring="30")


def service_page(staff, service):
    return staff.get(f"/staff/services/service/{service.pk}/").content.decode()


def deed(staff, row, key):
    return staff.post(f"/staff/services/addon/{row.pk}/{key}/")


def test_staff_add_an_addon_once_and_it_is_invoiced(staff, service):
    addon = make_addon(service.product, "5", hidden=True)
    url = f"/staff/services/service/{service.pk}/addon/"
    fields = {"choice": f"{addon.pk}:monthly", "quantity": "1", "key": "staff:1"}
    assert "Snapshots: €5.00 monthly" in staff.get(url).content.decode()

    staff.post(url, fields)
    staff.post(url, fields)

    row = ServiceAddon.objects.get()
    assert (row.status, f"{Invoice.objects.get().total:.2f}") == ("pending", "5.00")
    assert "Snapshots" in service_page(staff, service)
    assert Entry.objects.get(action="addon.ordered").actor_name == "Bo Boss"


def test_staff_let_an_unpaid_addon_begin(staff, service):
    row = make_service_addon(service, make_addon(service.product, "5"), status="pending")

    asked = staff.get(f"/staff/services/addon/{row.pk}/start/").content.decode()
    deed(staff, row, "start")

    assert "It begins now, paid or not" in asked
    row.refresh_from_db()
    assert (row.status, row.activated_at) == ("active", AT)


def test_staff_end_an_addon_now_or_with_its_period(staff, service):
    service.billed_until = date(2026, 12, 1)
    now_ = make_service_addon(service, make_addon(service.product, "5"))
    later = make_service_addon(service, make_addon(service.product, "5", name="IP"))

    deed(staff, now_, "end")
    deed(staff, later, "end-later")
    deed(staff, later, "end-later")

    now_.refresh_from_db()
    later.refresh_from_db()
    assert (now_.status, now_.ended_at) == ("cancelled", AT)
    assert (later.status, later.ends_on) == ("active", date(2026, 12, 1))
    assert "ends on Dec 1, 2026" in service_page(staff, service)


def test_what_does_not_apply_is_refused_with_a_sentence(staff, service):
    row = make_service_addon(service, make_addon(service.product, "5"))

    deed(staff, row, "start")

    text = service_page(staff, service)
    assert "Start does not apply to Snapshots for Mail" in text
    assert staff.get(f"/staff/services/addon/{row.pk}/explode/").status_code == 404


def test_who_may_not_change_services_changes_no_addon(as_role, service):
    row = make_service_addon(service, make_addon(service.product, "5"))
    reader = as_role("Read only")

    assert "Snapshots" in service_page(reader, service)
    assert deed(reader, row, "end").status_code == 403
    assert reader.get(f"/staff/services/service/{service.pk}/addon/").status_code == 403
    row.refresh_from_db()
    assert row.status == "active"
