from decimal import Decimal
from typing import ClassVar

import pytest
from django import forms
from django.urls import reverse

from billing_portal.audit.models import Entry
from billing_portal.products.models import Product, ProductGroup
from tests import fakes
from tests.factories import make_product


class SettingsForm(forms.Form):
    least = forms.IntegerField(label="Least size", initial=1)
    most = forms.IntegerField(label="Most size", initial=9)
    is_fast: ClassVar = forms.BooleanField(label="Fast disks", required=False)

    def clean(self):
        cleaned = super().clean()
        if cleaned.get("least", 0) > cleaned.get("most", 0):
            self.add_error("most", "The most is below the least.")
        return cleaned


@pytest.fixture(autouse=True)
def _asks(vendor, monkeypatch):
    monkeypatch.setattr(fakes.PlainModule, "settings_form", SettingsForm)


@pytest.fixture
def group(db):
    return ProductGroup.objects.create(name="Hosting", slug="hosting")


def form(group, **changed):
    fields = {
        "name": "Big box",
        "slug": "big-box",
        "group": group.pk,
        "set_up": "on_payment",
        "position": "0",
        "quantity_mode": "one",
        "maximum_quantity": "1",
        "change_policy": "auto",
        "deletion_grace_days": "7",
        "setting_least": "2",
        "setting_most": "8",
        "setting_is_fast": "on",
    }
    for name in ("prices", "usage_prices", "fields"):
        fields |= {f"{name}-TOTAL_FORMS": "0", f"{name}-INITIAL_FORMS": "0"}
    return fields | changed


ADD = "/staff/products/product/add/?module=fake"


def test_a_product_is_added_with_settings_and_prices(staff, group):
    prices = {
        "prices-TOTAL_FORMS": "1",
        "prices-0-currency": "eur",
        "prices-0-cycle": "monthly",
        "prices-0-recurring": "19",
        "prices-0-setup_fee": "5",
        "usage_prices-TOTAL_FORMS": "1",
        "usage_prices-0-currency": "EUR",
        "usage_prices-0-metric": "traffic",
        "usage_prices-0-scheme": "flat",
        "usage_prices-0-included": "0",
        "usage_prices-0-price": "0.5",
    }

    answer = staff.post(ADD, form(group, **prices))

    product = Product.objects.get()
    assert answer.status_code == 302
    assert product.module_key == "fake"
    assert product.module_settings == {"least": 2, "most": 8, "is_fast": True}
    assert [(p.currency, p.recurring) for p in product.prices.all()] == [("EUR", Decimal("19"))]
    assert [(u.metric, u.price) for u in product.usage_prices.all()] == [
        ("traffic", Decimal("0.5"))
    ]
    entry = Entry.objects.get()
    assert (entry.action, entry.actor_name) == ("product.added", "Bo Boss")


def metered(**changed):
    fields = {
        "usage_prices-TOTAL_FORMS": "1",
        "usage_prices-0-currency": "EUR",
        "usage_prices-0-metric": "traffic",
        "usage_prices-0-scheme": "volume",
        "usage_prices-0-included": "100",
        "usage_prices-0-price": "0",
        "usage_prices-0-brackets": "1000: 0.020\n0.015",
    }
    return fields | {f"usage_prices-0-{name}": value for name, value in changed.items()}


def test_brackets_are_read_from_lines_and_their_cliffs_are_named(staff, group):
    answer = staff.post(ADD, form(group, **metered()), follow=True)

    (price,) = Product.objects.get().usage_prices.all()
    assert (price.included, price.scheme) == (Decimal(100), "volume")
    assert price.tiers == [{"up_to": "1000", "price": "0.020"}, {"price": "0.015"}]
    shown = answer.content.decode()
    assert "1,000 units of traffic cost €20.00, one more makes it €15.02." in shown


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"brackets": "1000: 0.02"}, "Exactly the last bracket has no upper end."),
        ({"brackets": ""}, "At least one bracket is needed."),
        ({"scheme": "flat"}, "One price for every unit has no brackets."),
    ],
)
def test_brackets_that_make_no_sense_are_refused(staff, group, changed, sentence):
    refused = staff.post(ADD, form(group, **metered(**changed)))

    assert sentence in refused.content.decode()
    assert not Product.objects.exists()


def test_a_setting_the_module_refuses_is_explained_beside_it(staff, group):
    refused = staff.post(ADD, form(group, setting_least="9"))

    shown = refused.content.decode()
    assert "The most is below the least." in shown
    assert shown.index('name="setting_most"') > shown.index('name="setting_least"')
    assert not Product.objects.exists()


def test_stored_settings_come_back_into_the_form(staff, group):
    product = make_product(module_settings={"least": 3, "most": 7, "is_fast": False}, group=group)
    change = reverse("admin:products_product_change", args=[product.pk])

    shown = staff.get(change).context["adminform"].form

    assert [shown[f"setting_{name}"].value() for name in ("least", "most", "is_fast")] == [
        3,
        7,
        False,
    ]


def test_a_currency_nobody_knows_is_refused(staff, group):
    price = {
        "prices-TOTAL_FORMS": "1",
        "prices-0-currency": "EUX",
        "prices-0-cycle": "monthly",
        "prices-0-recurring": "19",
        "prices-0-setup_fee": "0",
    }

    refused = staff.post(ADD, form(group, **price))

    assert "&#x27;EUX&#x27; is not a currency code such as EUR." in refused.content.decode()
    assert not Product.objects.exists()


def test_a_product_without_a_module_asks_nothing(staff, group):
    shown = staff.get("/staff/products/product/add/?module=none").content.decode()

    assert "setting_" not in shown
    assert "usage_prices-TOTAL_FORMS" not in shown


def test_a_product_is_one_click_from_the_shop(staff, group):
    product = make_product(group=group)

    answer = staff.get(f"/staff/products/product/{product.pk}/shop/")

    assert answer["Location"] == f"/order/{product.slug}/"
