"""History is only ever added to."""

import pytest
from django.db import models

from billing_portal.audit import actions, queries
from billing_portal.audit.models import Entry
from tests.factories import AT, make_client, make_service, make_user, utc

pytestmark = pytest.mark.django_db


def record(subject, summary="Something happened", at=AT, **options):
    return actions.record("thing.happened", subject, summary=summary, at=at, **options)


def test_an_entry_says_who_did_what_to_which_and_when():
    client, user = make_client(), make_user(name="Sam Staff")

    entry = record(client, actor=user, client_id=client.pk, details={"a": 1})

    entry.refresh_from_db()
    assert (entry.at, entry.actor, entry.actor_name) == (AT, user, "Sam Staff")
    assert (entry.action, entry.summary, entry.details) == (
        "thing.happened",
        "Something happened",
        {"a": 1},
    )
    assert (entry.subject_type, entry.subject_id, entry.client_ref) == (
        "clients.client",
        client.pk,
        client.pk,
    )


def test_what_nobody_did_the_system_did():
    entry = record(make_client())

    assert (entry.actor, entry.actor_name) == (None, "system")


def test_a_name_stays_as_it_was():
    user = make_user(name="Sam Staff")
    entry = record(make_client(), actor=user)
    user.name = "Sam Married"
    user.save()

    entry.refresh_from_db()
    assert entry.actor_name == "Sam Staff"


def test_long_words_are_cut():
    user = make_user(email=f"{'x' * 60}@{'y' * 60}.{'z' * 60}.example.org")

    entry = record(make_client(), summary="s" * 400, actor=user)

    assert (len(entry.summary), len(entry.actor_name)) == (300, 150)


def test_entries_are_never_edited_or_deleted():
    entry = record(make_client())
    entry.summary = "Nothing happened"

    with pytest.raises(TypeError, match="never edited"):
        entry.save()
    with pytest.raises(TypeError, match="never deleted"):
        entry.delete()

    assert Entry.objects.get().summary == "Something happened"


def test_a_user_with_history_cannot_be_deleted():
    user = make_user()
    record(make_client(), actor=user)

    with pytest.raises(models.ProtectedError):
        user.delete()


def test_history_comes_newest_first():
    client = make_client()
    service = make_service(client)
    old = record(service, at=utc(2026, 11, 1), client_id=client.pk)
    new = record(service, at=utc(2026, 11, 2), client_id=client.pk)
    own = record(client, at=utc(2026, 11, 3), client_id=client.pk)
    other = make_client()
    record(other, client_id=other.pk)

    assert list(queries.history_of(service)) == [new, old]
    assert list(queries.history_of_client(client.pk)) == [own, new, old]
