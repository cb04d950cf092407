"""Registering and changing clients."""

import pytest
from django.db import IntegrityError, transaction

from billing_portal.audit.models import Entry
from billing_portal.clients import actions
from billing_portal.clients.models import Client, Membership
from tests.factories import AT, make_client, make_user

pytestmark = pytest.mark.django_db

PROFILE = {
    "first_name": "Ann",
    "last_name": "Smith",
    "email": "ann@example.org",
    "address1": "1 High Street",
    "city": "Berlin",
    "postcode": "10115",
    "country": "DE",
    "currency": "EUR",
}


def test_whoever_registers_a_client_owns_it():
    owner = make_user(name="Ann Smith")

    client = actions.register_client(owner=owner, profile=PROFILE, at=AT)

    assert (str(client), client.status, client.created_at) == ("Ann Smith", "active", AT)
    membership = Membership.objects.get()
    assert (membership.client, membership.user, membership.is_owner) == (client, owner, True)
    entry = Entry.objects.get()
    assert (entry.action, entry.actor, entry.client_ref) == ("client.registered", owner, client.pk)


def test_a_client_has_one_owner():
    client = make_client(owner=make_user())

    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.create(client=client, user=make_user(), is_owner=True)


def test_a_changed_profile_is_remembered_by_its_fields():
    client, user = make_client(), make_user()

    actions.update_profile(
        client, profile={"city": "Hamburg", "postcode": "20457", "country": "DE"}, actor=user, at=AT
    )

    assert (Client.objects.get().city, Client.objects.get().postcode) == ("Hamburg", "20457")
    entry = Entry.objects.get()
    assert (entry.action, entry.summary) == ("client.profile_changed", "Changed city, postcode")


def test_an_unchanged_profile_is_no_event():
    client = make_client()

    actions.update_profile(client, profile={"city": "Berlin"}, actor=make_user(), at=AT)

    assert not Entry.objects.exists()


def test_older_versions_of_a_client_are_kept():
    client = make_client(city="Berlin")

    actions.update_profile(client, profile={"city": "Hamburg"}, actor=make_user(), at=AT)

    assert [version.city for version in client.history.all()] == ["Hamburg", "Berlin"]
