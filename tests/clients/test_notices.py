"""Who gets which notice."""

import pytest

from billing_portal.clients.models import ClientStatus, Contact, Membership, Permission
from billing_portal.clients.notices import notify
from billing_portal.clients.queries import client_of, mail_copies, memberships_of
from tests.factories import AT, make_client, make_user

pytestmark = pytest.mark.django_db


def add_contact(client, email, *categories):
    return Contact.objects.create(
        client=client, name=email.split("@")[0], email=email, categories=list(categories)
    )


def test_contacts_get_copies_of_the_kinds_they_asked_for():
    client = make_client(email="ann@example.org")
    add_contact(client, "bill@example.org", "invoices")
    add_contact(client, "admin@example.org", "services", "invoices")
    add_contact(client, "nobody@example.org")

    other = make_client()

    assert mail_copies([client, other], "invoices") == {
        client.pk: ["admin@example.org", "bill@example.org"],
        other.pk: [],
    }
    assert mail_copies([client], "services") == {client.pk: ["admin@example.org"]}


def test_nobody_gets_two_copies():
    client = make_client(email="ann@example.org")
    for _ in range(2):
        add_contact(client, "bill@example.org", "invoices")
    add_contact(client, "ann@example.org", "invoices")

    assert mail_copies([client], "invoices") == {client.pk: ["bill@example.org"]}


def test_a_notice_greets_the_client_and_is_noted_with_it():
    client = make_client(company_name="Acme Ltd")
    context = {"service": "Box", "summary": "size 5"}

    sent = notify(client, "service_active", key="7", context=context, at=AT)

    assert sent.email.message.startswith("Hello Acme Ltd,")
    assert (sent.client_ref, sent.email.to) == (client.pk, [client.email])


# --- Who may act for whom -----------------------------------------------------------------


def test_a_user_acts_for_the_clients_it_belongs_to_owned_ones_first():
    user = make_user()
    helped, closed = make_client(), make_client(owner=user, status=ClientStatus.CLOSED)
    owned = make_client(owner=user)
    Membership.objects.create(client=helped, user=user, permissions=["invoices"])
    make_client(owner=make_user())

    memberships = memberships_of(user)

    assert [membership.client for membership in memberships] == [owned, helped]
    assert closed not in [membership.client for membership in memberships]
    assert client_of(memberships, helped.pk) == helped
    assert client_of(memberships, closed.pk) == owned
    assert client_of(memberships, None) == owned
    assert client_of([], helped.pk) is None


def test_an_owner_may_do_everything_and_others_what_they_were_given():
    owner, helper = make_user(), make_user()
    client = make_client(owner=owner)
    Membership.objects.create(client=client, user=helper, permissions=["invoices"])

    by_user = {membership.user: membership for membership in client.memberships.all()}

    assert all(by_user[owner].allows(permission) for permission in Permission)
    assert [p for p in Permission if by_user[helper].allows(p)] == [Permission.INVOICES]
