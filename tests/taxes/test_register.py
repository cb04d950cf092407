"""Asking the register about VAT ids, and keeping what it said."""

from datetime import timedelta
from functools import partial

import pytest

from billing_portal.audit.models import Entry
from billing_portal.clients.models import Client
from billing_portal.taxes import actions, queries, vies
from billing_portal.taxes.actions import NoVatId
from billing_portal.taxes.models import TaxIdCheck
from billing_portal.taxes.tasks import check_tax_id
from billing_portal.taxes.vies import Reply
from tests.factories import AT, make_client, make_user
from tests.taxes.register import failed
from tests.taxes.rows import make_tax_id_check, make_tax_settings
from tests.threads import at_once

pytestmark = pytest.mark.django_db
FRENCH = "FR12345678901"


@pytest.fixture
def client(german):
    return make_client(country="FR", tax_id="fr 12345678901")


def ask(client, *, at=AT, again=False):
    return actions.ask_register(client.pk, at=at, again=again)


def test_a_valid_id_is_kept_with_its_evidence(client, register, settings):
    settings.SELLER_TAX_ID = "DE 123 456 789"
    register.valid[FRENCH] = "SARL EXEMPLE"

    check = ask(client)

    assert register.asked == [
        {
            "countryCode": "FR",
            "vatNumber": "12345678901",
            "requesterMemberStateCode": "DE",
            "requesterNumber": "123456789",
        }
    ]
    assert (check.tax_id, check.answer, check.checked_at) == (FRENCH, "valid", AT)
    assert (check.name, check.consultation) == ("SARL EXEMPLE", "WAPI1")
    assert check.address == "1 RUE DE LA PAIX\n75002 PARIS"
    entry = Entry.objects.get(action="client.tax_id_checked")
    assert (entry.client_ref, entry.summary) == (client.pk, f"VAT id {FRENCH}: valid")
    assert queries.standing(client).state == "valid"


def test_what_the_register_does_not_tell_stays_empty(client, register):
    register.valid[FRENCH] = "---"

    assert ask(client).name == ""


def test_a_seller_the_register_does_not_know_is_left_out_of_the_question(client, register):
    register.valid[FRENCH] = "SARL EXEMPLE"
    register.replies = [failed("INVALID_REQUESTER_INFO")]

    check = ask(client)

    assert (check.answer, check.consultation) == ("valid", "")
    assert register.asked[1] == {"countryCode": "FR", "vatNumber": "12345678901"}


def test_an_id_the_register_does_not_know_is_not_asked_about_again(client, register):
    check = ask(client)

    assert (check.answer, check.next_check_at) == ("invalid", None)
    assert ask(client, at=AT + timedelta(days=400)) == check
    assert len(register.asked) == 1


@pytest.mark.parametrize(
    "reply",
    [
        failed("MS_UNAVAILABLE"),
        failed("MS_MAX_CONCURRENT_REQ"),
        failed("TIMEOUT"),
        (500, "Internal error"),
        (200, "<html>maintenance</html>"),
        (200, {}),
        (200, {"valid": "yes"}),
        (200, ["valid"]),
    ],
)
def test_no_clear_answer_is_kept_as_none_and_asked_again_soon(client, register, reply):
    register.replies = [reply]

    check = ask(client)

    assert check.answer == "unavailable"
    assert check.next_check_at == AT + timedelta(hours=1)


def test_a_register_that_cannot_be_reached_is_no_answer(client, settings):
    settings.VIES_URL = "http://127.0.0.1:9/rest-api"

    assert ask(client).answer == "unavailable"


def test_an_id_the_register_cannot_read_is_not_valid(client, register):
    register.replies = [failed("INVALID_INPUT")]

    assert ask(client).answer == "invalid"


def test_an_answer_stands_until_it_is_due_or_someone_asks_again(client, register):
    register.valid[FRENCH] = "SARL EXEMPLE"
    first = ask(client)

    assert ask(client, at=AT + timedelta(days=29)) == first
    assert len(register.asked) == 1

    assert ask(client, at=AT + timedelta(days=29), again=True) != first
    assert ask(client, at=AT + timedelta(days=60)).checked_at == AT + timedelta(days=60)
    assert len(register.asked) == 3


def test_nobody_is_asked_while_no_register_is_named(client, settings):
    assert settings.VIES_URL == ""

    assert ask(client) is None
    assert not TaxIdCheck.objects.exists()


@pytest.mark.parametrize(
    "changed",
    [{"tax_id": "nonsense"}, {"tax_id": ""}, {"country": "US"}, {"country": "DE"}],
)
def test_what_the_register_cannot_help_with_is_not_asked(client, register, changed):
    for name, value in changed.items():
        setattr(client, name, value)
    client.save()

    assert ask(client) is None
    assert register.asked == []


def test_without_eu_rules_nobody_is_asked(client, register):
    make_tax_settings(eu_vat=False)

    assert ask(client) is None
    assert register.asked == []


def test_an_id_changed_while_the_register_thinks_gets_no_answer_of_the_old_one(
    client, register, monkeypatch
):
    def change_meanwhile(vat_id, *, requester):
        Client.objects.filter(pk=client.pk).update(tax_id="FR99999999999")
        return Reply(TaxIdCheck.Answer.VALID)

    monkeypatch.setattr(vies, "ask", change_meanwhile)

    assert ask(client) is None
    assert not TaxIdCheck.objects.exists()


def test_the_task_delivered_twice_asks_once(client, register):
    register.valid[FRENCH] = "SARL EXEMPLE"

    check_tax_id(client_id=client.pk)
    check_tax_id(client_id=client.pk)

    assert len(register.asked) == 1
    assert TaxIdCheck.objects.count() == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_asked_four_times_at_once_one_answer_is_kept(client, register):
    register.valid[FRENCH] = "SARL EXEMPLE"

    outcomes = at_once(*[partial(ask, client)] * 4)

    [kept] = TaxIdCheck.objects.all()
    assert outcomes == [kept] * 4


def test_what_a_person_found_out_elsewhere_counts(client):
    boss = make_user(name="Bo Boss")

    check = actions.record_answer(
        client, answer=TaxIdCheck.Answer.VALID, consultation="WAPIX", actor=boss, at=AT
    )

    assert (check.tax_id, check.consultation) == (FRENCH, "WAPIX")
    assert queries.standing(client).state == "valid"
    assert Entry.objects.get(action="client.tax_id_checked").actor_name == "Bo Boss"


def test_a_person_cannot_vouch_for_what_is_no_id(client):
    client.tax_id = "abc"
    client.save()

    with pytest.raises(NoVatId, match="“abc” is not a VAT id of FR"):
        actions.record_answer(
            client,
            answer=TaxIdCheck.Answer.VALID,
            consultation="",
            actor=make_user(),
            at=AT,
        )
    assert not TaxIdCheck.objects.exists()


# --- Whom to ask --------------------------------------------------------------------------


def test_ids_never_asked_about_and_those_due_are_asked(german, register):
    new = make_client(country="FR", tax_id=FRENCH)
    silent = make_client(country="FR", tax_id=FRENCH)
    make_tax_id_check(silent, "unavailable", next_check_at=AT)
    changed = make_client(country="FR", tax_id=FRENCH)
    make_tax_id_check(changed, "invalid", tax_id="FR99999999999")
    later = make_client(country="FR", tax_id=FRENCH)
    make_tax_id_check(later, "valid", next_check_at=AT + timedelta(days=1))
    known = make_client(country="FR", tax_id=FRENCH)
    make_tax_id_check(known, "invalid")
    make_client(country="FR", tax_id=FRENCH, status="closed")
    make_client(country="DE", tax_id="DE123456789")
    make_client(country="FR", tax_id="nonsense")
    make_client(country="FR")

    assert queries.ids_to_ask(AT) == [new.pk, silent.pk, changed.pk]


def test_nobody_is_to_be_asked_without_a_register_or_eu_rules(client, settings):
    assert queries.ids_to_ask(AT) == []

    settings.VIES_URL = "http://127.0.0.1:9"
    make_tax_settings(enabled=False)
    assert queries.ids_to_ask(AT) == []


def test_whom_to_ask_costs_three_statements(german, register, django_assert_num_queries):
    for _ in range(12):
        make_client(country="FR", tax_id=FRENCH)

    with django_assert_num_queries(3):
        assert len(queries.ids_to_ask(AT)) == 12
