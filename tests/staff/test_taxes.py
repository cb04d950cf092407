"""Tax pages of the dashboard: settings, rules, a client's treatment and evidence."""

from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.urls import reverse

from billing_portal.audit.models import Entry
from billing_portal.clients.models import Client
from billing_portal.taxes.models import SignupPlace, TaxIdCheck, TaxRule, TaxSettings
from tests.factories import AT, make_client, utc
from tests.taxes import register as fake
from tests.taxes.rows import make_tax_id_check, make_tax_rule, make_tax_settings

pytestmark = pytest.mark.django_db
FRENCH = "FR12345678901"


@pytest.fixture(autouse=True)
def _now():
    with time_machine.travel(utc(2026, 11, 20, 12), tick=False):
        yield


@pytest.fixture
def german(db):
    make_tax_rule("VAT", "19", country="DE")
    make_tax_rule("VAT", "20", country="FR")
    return make_tax_settings(eu_vat=True)


@pytest.fixture
def french(german):
    return make_client(country="FR", tax_id=FRENCH, company_name="Exemple SARL")


def text(answer):
    return " ".join(answer.content.decode().split())


def at(name, *args):
    return reverse(f"staff:{name}", args=args)


# --- Settings and rules -------------------------------------------------------------------


def test_the_settings_are_one_row_made_at_first_sight(staff):
    page = staff.get("/staff/taxes/taxsettings/", follow=True)

    assert "Charge tax" in text(page)
    assert TaxSettings.objects.get().enabled is False


def rule_form(**changed):
    return {
        "name": "VAT",
        "percent": "19",
        "country": "DE",
        "state": "",
        "level": "1",
        "starts_on": "",
        "ends_on": "",
    } | changed


def test_a_rule_is_added_with_one_line_of_history(staff):
    staff.post("/staff/taxes/taxrule/add/", rule_form())

    assert str(TaxRule.objects.get()) == "VAT 19 % DE"
    entry = Entry.objects.get(subject_type="taxes.taxrule")
    assert (entry.actor_name, entry.summary) == ("Bo Boss", "Tax rule VAT 19 % DE added")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({}, "“VAT 19 % DE” is the first tax of that place on some of these days already."),
        ({"country": "AT", "percent": "100.5"}, "less than or equal to 100"),
        ({"country": "AT", "percent": "-1"}, "greater than or equal to 0"),
        ({"country": "XX"}, "XX is not one of the available choices"),
        ({"country": "", "state": "Ohio"}, "Choose the country this state belongs to."),
    ],
)
def test_a_bad_rule_is_refused_beside_its_field(staff, changed, sentence):
    make_tax_rule("VAT", "19", country="DE")

    page = staff.post("/staff/taxes/taxrule/add/", rule_form(**changed))

    assert sentence in text(page)
    assert TaxRule.objects.count() == 1


def test_a_rule_can_be_removed(staff):
    rule = make_tax_rule("VAT", "19", country="DE")

    staff.post(f"/staff/taxes/taxrule/{rule.pk}/delete/", {"post": "yes"})

    assert not TaxRule.objects.exists()
    assert Entry.objects.get().summary == "Tax rule VAT 19 % DE removed"


def test_published_rates_are_added_by_a_button(staff):
    make_tax_rule("MwSt", "19", country="DE")
    page = text(staff.get(at("tax-rates")))
    assert "FR: VAT 20 %" in page and "Quebec: QST 9.975 %" in page

    done = staff.post(at("tax-rates"), {"preset": "eu"}, follow=True)

    assert "EU VAT: 26 rules added. 1 places have a rule already and keep it." in text(done)
    assert TaxRule.objects.count() == 27


def test_an_unknown_set_of_rates_adds_nothing(staff):
    staff.post(at("tax-rates"), {"preset": "mars"})

    assert not TaxRule.objects.exists()


def run(*args):
    out = StringIO()
    call_command("load_tax_rules", *args, stdout=out)
    return out.getvalue().splitlines()


def test_the_command_says_what_it_adds_and_what_it_keeps():
    make_tax_rule("Sales tax", "8", country="US", state="TX")

    assert run("--us-example") == [
        "added Sales tax 7.25 % US California",
        "added Sales tax 6 % US Florida",
        "added Sales tax 4 % US New York",
        "added Sales tax 6.5 % US Washington",
        "kept the rule of US Texas",
    ]
    assert TaxRule.objects.count() == 5


def test_the_command_can_be_tried_without_effect():
    assert len(run("--canada", "--dry-run")) == 10
    assert not TaxRule.objects.exists()


def test_the_command_wants_to_know_which():
    with pytest.raises(CommandError, match="Say which: --eu, --canada, --us-example"):
        run()


# --- One client ---------------------------------------------------------------------------


def test_the_client_summary_says_how_and_why(staff, french):
    assert "VAT 20 %: company in FR, VAT id FR12345678901 not checked yet" in text(
        staff.get(at("client", french.pk))
    )

    make_tax_id_check(french, "valid")
    assert "Reverse charge: FR12345678901 valid on 1 Nov 2026" in text(
        staff.get(at("client", french.pk))
    )


def test_the_tax_page_shows_the_evidence(staff, french):
    make_tax_id_check(french, "valid", name="EXEMPLE", consultation="WAPI77")
    SignupPlace.objects.create(client=french, ip="203.0.113.9", country="BE", noted_at=AT)

    page = text(staff.get(at("client-tax", french.pk)))

    for shown in ("EXEMPLE", "WAPI77", "203.0.113.9 (BE)", "are of different countries"):
        assert shown in page
    assert "Reverse charge: the customer is liable for the VAT" in page


def test_the_register_is_asked_by_a_button(staff, french, settings):
    with fake.running() as register:
        settings.VIES_URL = register.url
        register.valid[FRENCH] = "EXEMPLE"
        done = staff.post(at("client-tax-ask", french.pk), follow=True)

    assert "Asked. FR12345678901: valid." in text(done)
    assert TaxIdCheck.objects.get().name == "EXEMPLE"


def test_without_a_register_the_page_says_so_and_an_answer_is_recorded_by_hand(staff, french):
    assert "No register is set up" in text(staff.get(at("client-tax", french.pk)))

    done = staff.post(
        at("client-tax-answer", french.pk),
        {"answer": "valid", "consultation": "WAPI78"},
        follow=True,
    )

    assert "Recorded. FR12345678901: valid." in text(done)
    check = TaxIdCheck.objects.get()
    assert (check.answer, check.consultation) == ("valid", "WAPI78")
    assert Entry.objects.get().actor_name == "Bo Boss"


def test_what_is_no_id_cannot_be_vouched_for(staff, french):
    Client.objects.filter(pk=french.pk).update(tax_id="abc")

    page = staff.post(at("client-tax-answer", french.pk), {"answer": "valid"})

    assert "A VAT id of France looks like FR12345678901." in text(page)
    assert not TaxIdCheck.objects.exists()


def client_form(client, **changed):
    form = {
        name: getattr(client, name)
        for name in (
            *("company_name", "first_name", "last_name", "email", "phone", "address1"),
            *("address2", "postcode", "city", "state", "country", "status", "notes"),
        )
    }
    inlines = {
        f"{inline}-{name}_FORMS": "0"
        for inline in ("contacts", "memberships")
        for name in ("TOTAL", "INITIAL")
    }
    return form | inlines | changed


def test_nonsense_entered_by_staff_is_kept_with_a_warning(staff, french):
    page = staff.post(
        f"/staff/clients/client/{french.pk}/change/",
        client_form(french, tax_id="abc"),
        follow=True,
    )

    french.refresh_from_db()
    assert "Saved, but VAT is charged: This is not a VAT id of the country chosen" in text(page)
    assert french.tax_id == "abc"


def test_an_id_entered_by_staff_is_looked_up_at_once(
    staff, french, settings, sent_tasks, django_capture_on_commit_callbacks
):
    settings.VIES_URL = "http://127.0.0.1:9/rest-api"

    with django_capture_on_commit_callbacks(execute=True):
        staff.post(
            f"/staff/clients/client/{french.pk}/change/",
            client_form(french, tax_id="FR99999999999"),
        )

    french.refresh_from_db()
    assert french.tax_id == "FR99999999999"
    assert [t.kwargs for t in sent_tasks if t.name.endswith("check_tax_id")] == [
        {"client_id": french.pk}
    ]


@pytest.mark.parametrize(
    ("role", "status"), [("Billing", 302), ("Support", 302), ("Read only", 403), ("", 403)]
)
def test_who_may_change_clients_may_ask(as_role, french, role, status):
    assert as_role(role).post(at("client-tax-ask", french.pk)).status_code == status


@pytest.mark.parametrize("role", ["Billing", "Support", "Read only"])
def test_rules_are_for_administrators_to_change(as_role, role):
    browser = as_role(role)

    assert browser.get("/staff/taxes/taxrule/").status_code == 200
    assert browser.post(at("tax-rates"), {"preset": "eu"}).status_code == 403
    assert browser.post("/staff/taxes/taxrule/add/", rule_form()).status_code == 403
    assert not TaxRule.objects.exists()
