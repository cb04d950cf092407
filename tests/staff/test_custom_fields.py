"""Further questions in the dashboard: who asks them, and where the answers stand."""

import pytest

from billing_portal.audit.models import Entry
from billing_portal.clients.models import Client, ClientField
from billing_portal.products.models import ProductField
from tests.factories import make_client, make_product, make_service

pytestmark = pytest.mark.django_db

FIELDS = {
    "label": "Risk class",
    "key": "risk",
    "kind": "choice",
    "choices": "low\nhigh",
    "pattern": "",
    "help_text": "",
    "position": "0",
    "staff_only": "on",
}
NO_INLINES = {
    f"{name}-{count}": "0"
    for name in ("contacts", "memberships")
    for count in ("TOTAL_FORMS", "INITIAL_FORMS")
}


def form_of(client, **changed):
    names = ("company_name", "first_name", "last_name", "email", "address1", "city", "postcode")
    fields = {name: getattr(client, name) for name in names}
    return fields | {"country": "DE", "status": "active"} | NO_INLINES | changed


def test_staff_put_a_question_to_every_client(staff):
    answer = staff.post("/staff/clients/clientfield/add/", FIELDS)

    assert answer.status_code == 302
    assert ClientField.objects.get().choice_list == ["low", "high"]
    assert Entry.objects.get().action == "clientfield.added"


def test_a_question_no_answer_could_match_is_refused(staff):
    answer = staff.post("/staff/clients/clientfield/add/", FIELDS | {"pattern": "("})

    assert "This is not a regular expression" in answer.content.decode()
    assert not ClientField.objects.exists()


def test_staff_answer_for_a_client_and_see_it_on_its_page(staff):
    ClientField.objects.create(
        key="risk", label="Risk class", kind="choice", choices="low\nhigh", staff_only=True
    )
    ClientField.objects.create(key="site", label="Site", required=True)
    client = make_client(custom_fields={"old": "kept"})
    change = f"/staff/clients/client/{client.pk}/change/"

    asked = staff.get(change).content.decode()
    answer = staff.post(change, form_of(client, asked_risk="high"))

    assert "Further questions" in asked
    assert answer.status_code == 302, answer.context["errors"]
    assert Client.objects.get().custom_fields == {"old": "kept", "risk": "high"}
    shown = staff.get(f"/staff/clients/client/{client.pk}/").content.decode()
    assert "<dt>Risk class</dt><dd>high</dd>" in shown


def test_a_new_client_of_staff_gets_its_answers(staff):
    ClientField.objects.create(key="risk", label="Risk class")
    fields = form_of(make_client(), owner_email="zoe@firm.example", currency="EUR")

    answer = staff.post("/staff/clients/client/add/", fields | {"asked_risk": "low"})

    assert answer.status_code == 302, answer.context["errors"]
    assert Client.objects.latest("pk").custom_fields == {"risk": "low"}


def test_a_services_page_shows_every_answer_and_option(staff):
    product = make_product()
    ProductField.objects.create(product=product, key="rack", label="Rack", staff_only=True)
    service = make_service(
        product=product,
        custom_fields={"rack": "R7"},
        options=[{"key": "disks", "name": "Disks", "text": "SSD", "units": 1}],
    )

    shown = staff.get(f"/staff/services/service/{service.pk}/").content.decode()

    assert "<dt>Rack</dt><dd>R7</dd>" in shown
    assert "<dt>Disks</dt><dd>SSD</dd>" in shown
