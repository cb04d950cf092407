"""The built-in mails as clients get them: from the real flows, with nothing left blank."""

from copy import deepcopy
from decimal import Decimal

import pytest

from billing_portal.clients.models import Contact
from billing_portal.mail import actions
from billing_portal.mail.defaults import DEFAULT_TEMPLATES
from billing_portal.mail.models import ClientMail
from billing_portal.workflows.change_service import suspend
from billing_portal.workflows.invoice_paid import record_payment
from billing_portal.workflows.place_order import OrderRequest, place_order
from provisioning import runner
from provisioning.models import Job
from tests import fakes
from tests.factories import AT, make_client, make_product, make_server

pytestmark = pytest.mark.django_db

MISSING = "!! missing !!"
OURS = ("order_placed", "invoice_issued", "payment_received", "service_active", "service_suspended")
"""What these flows send; the others are tried where they are sent."""


@pytest.fixture
def vendor(settings):
    with fakes.installed(settings) as vendor:
        yield vendor


@pytest.fixture(autouse=True)
def _missing_values_show(settings):
    settings.TEMPLATES = deepcopy(settings.TEMPLATES)
    settings.TEMPLATES[0]["OPTIONS"]["string_if_invalid"] = MISSING
    actions._compiled.cache_clear()
    yield
    actions._compiled.cache_clear()


@pytest.fixture
def mails(vendor):
    """One mail of each kind, made by ordering, paying, setting up and suspending."""
    make_server()
    client = make_client(company_name="Bits & <b>Bytes</b>", email="ann@example.org")
    for name, categories in (("in", ["invoices"]), ("serv", ["services"]), ("none", [])):
        Contact.objects.create(
            client=client, name=name, email=f"{name}@example.org", categories=categories
        )
    order = place_order(
        client=client,
        placed_by=None,
        items=[OrderRequest(make_product(recurring="29.95").pk, "monthly", "mail", {"size": "5"})],
        payment_method="bank_transfer",
        submission_key="a",
        at=AT,
    )
    record_payment(
        invoice_id=order.invoice_id,
        gateway="bank_transfer",
        external_id="x",
        amount=Decimal("29.95"),
        currency="EUR",
        received_at=AT,
        at=AT,
    )
    runner.run(Job.objects.get().pk, at=AT)
    service = order.items.get().service
    suspend(service.pk, reason="Overdue", request_key="s", at=AT, actor=None)
    runner.run(Job.objects.latest("pk").pk, at=AT)
    return {mail.template: mail.email for mail in ClientMail.objects.select_related("email")}


def test_the_flows_send_one_mail_of_each_kind(mails):
    assert sorted(mails) == sorted(OURS)
    assert ClientMail.objects.count() == len(OURS)


@pytest.mark.parametrize("name", OURS)
def test_no_value_is_missing_and_no_code_is_left(mails, name):
    email = mails[name]

    for part in (email.subject, email.message, email.html_message):
        assert part.strip()
        for sign in (MISSING, "{{", "}}", "{%", "%}"):
            assert sign not in part


@pytest.mark.parametrize("name", OURS)
def test_the_client_is_greeted_by_name_in_both_parts(mails, name):
    email = mails[name]

    assert "Hello Bits & <b>Bytes</b>," in email.message
    assert "Hello Bits &amp; &lt;b&gt;Bytes&lt;/b&gt;," in email.html_message
    assert "<b>Bytes" not in email.html_message


@pytest.mark.parametrize("name", OURS)
def test_contacts_get_copies_of_what_they_asked_for(mails, name):
    wanted = {"invoices": "in@example.org", "services": "serv@example.org"}

    assert (mails[name].to, mails[name].cc) == (
        ["ann@example.org"],
        [wanted[DEFAULT_TEMPLATES[name].category]],
    )


@pytest.mark.parametrize("name", OURS)
def test_no_mail_holds_a_secret(mails, name):
    email = mails[name]

    for part in (email.subject, email.message, email.html_message, str(email.context)):
        assert "first-password" not in part


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("invoice_issued", "Invoice INV-2026-00001: €29.95, due 2026-11-15"),
        ("payment_received", "We received your payment of €29.95"),
        ("service_active", "Box - mail is ready"),
        ("service_suspended", "Box - mail is suspended"),
    ],
)
def test_the_subject_says_it_all(mails, name, subject):
    assert mails[name].subject == subject


def test_links_lead_to_the_page_in_question(mails):
    assert "http://127.0.0.1:8000/invoices/" in mails["invoice_issued"].message
    assert "http://127.0.0.1:8000/services/" in mails["service_active"].message
    assert "http://127.0.0.1:8000/orders/" in mails["order_placed"].message
