"""Every list and form of the admin site, whichever model is added next."""

from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.staff.world import SECRET, make_world

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
SINGLE = {"automation.AutomationSettings", "taxes.TaxSettings"}
"""Models of one row: their list leads to its form, which makes the row."""
LISTED = [model for model in MODELS if model._meta.label not in SINGLE]
MOST_QUERIES = 25


def label(model: Any) -> str:
    return str(model._meta.label)


def address(model: Any, page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def queries_of(staff: Any, url: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert staff.get(url).status_code == 200
    return len(queries)


@pytest.mark.parametrize("model", LISTED, ids=label)
def test_every_list_opens_and_costs_the_same_for_more_rows(model, world, staff):
    few = queries_of(staff, address(model, "changelist"))
    make_world()
    make_world()

    assert queries_of(staff, address(model, "changelist")) == few <= MOST_QUERIES


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_every_form_opens_without_a_secret_in_it(model, world, staff):
    staff.get(address(model, "changelist"))
    row = model._default_manager.order_by("pk").last()
    assert row, f"tests/staff/world.py makes no {model._meta.label}"
    url = address(model, "change", row.pk)

    with CaptureQueriesContext(connection) as queries:
        page = staff.get(url)

    assert page.status_code == 200
    assert SECRET not in page.content.decode()
    assert len(queries) <= MOST_QUERIES


@pytest.mark.parametrize("model", LISTED, ids=label)
def test_every_list_is_searched_or_has_nothing_to_search(model, world, staff):
    assert staff.get(address(model, "changelist"), {"q": "nobody"}).status_code == 200


@pytest.mark.parametrize("model", LISTED, ids=label)
def test_every_list_can_be_had_as_a_file(model, world, staff):
    file = staff.get(address(model, "changelist"), {"as": "csv"})

    lines = b"".join(file.streaming_content).decode().splitlines()
    assert file["Content-Type"] == "text/csv; charset=utf-8"
    assert len(lines) > 1
    assert SECRET not in "\n".join(lines)


def test_a_file_has_the_rows_the_filter_leaves_and_words_instead_of_lights(world, staff):
    url = reverse("admin:services_service_changelist")

    file = staff.get(url, {"status__exact": "pending", "as": "csv"})

    lines = b"".join(file.streaming_content).decode().splitlines()
    product, client = world.product, world.client
    assert lines == [
        "Service,Client,Product,Price,Next due,State",
        f'{product} - {world.waiting.label},{client},{product},by usage,"Nov 1, 2026",Pending',
    ]


def test_a_name_that_is_a_formula_is_harmless_in_a_file(world, staff):
    world.client.company_name = "=1+1"
    world.client.save()

    file = staff.get(reverse("admin:clients_client_changelist"), {"as": "csv"})

    assert b"".join(file.streaming_content).decode().splitlines()[1].startswith("'=1+1,")


@pytest.mark.parametrize(
    "model",
    [
        *("invoices.Invoice", "invoices.Charge", "payments.Transaction", "audit.Entry"),
        *("provisioning.ModuleLog", "provisioning.Job", "orders.Order", "backups.Datastore"),
    ],
)
def test_what_was_billed_paid_or_noted_cannot_be_edited_or_deleted(model, world, staff):
    found = next(one for one in MODELS if one._meta.label == model)
    row = found._default_manager.order_by("pk").last()
    before = found._default_manager.filter(pk=row.pk).values().get()

    changed = staff.post(address(found, "change", row.pk), {"amount": "1"})
    deleted = staff.post(address(found, "delete", row.pk), {"post": "yes"})
    added = staff.get(address(found, "add"))

    assert (changed.status_code, deleted.status_code, added.status_code) == (403, 403, 403)
    assert found._default_manager.filter(pk=row.pk).values().get() == before


def test_rows_open_the_page_of_their_object(world, staff):
    page = staff.get(reverse("admin:clients_client_changelist"))

    assert f'href="/staff/clients/client/{world.client.pk}/"' in page.content.decode()


def test_the_history_of_a_client_and_a_product_keeps_what_was_before(world, staff):
    world.client.city = "Bonn"
    world.client.save()

    client = staff.get(address(type(world.client), "history", world.client.pk))
    product = staff.get(address(type(world.product), "history", world.product.pk))

    assert (client.status_code, product.status_code) == (200, 200)
    assert [row.city for row in client.context["page_obj"].object_list] == ["Bonn", "Berlin"]


def test_the_history_of_anything_else_is_the_audit_log(world, staff):
    answer = staff.get(address(type(world.server), "history", world.server.pk), follow=True)

    assert answer.redirect_chain == [
        (
            "/staff/audit/entry/?subject_type__exact=provisioning.server"
            f"&subject_id__exact={world.server.pk}",
            302,
        )
    ]
    assert answer.status_code == 200


def test_an_audit_entry_leads_to_the_page_of_what_it_is_about(world, staff):
    page = staff.get(reverse("admin:audit_entry_changelist")).content.decode()

    assert f'href="/staff/services/service/{world.service.pk}/"' in page
