"""The billing settings page: who may change what, what is refused, and what is remembered."""

import pytest
from django.urls import reverse

from billing_portal.audit.models import Entry
from billing_portal.invoices.models import BillingSettings
from billing_portal.invoices.queries import billing_rules
from tests.staff.test_work import text

pytestmark = pytest.mark.django_db

URL = "staff:billing-settings"
AS_IT_IS = {
    "lead_days": "0",
    "due_policy": "term",
    "term_days": "14",
    "start_policy": "order",
    "credit_applies_itself": "on",
    "change_offer_days": "7",
}


def save(browser, **changed):
    return browser.post(reverse(URL), AS_IT_IS | changed)


def test_what_is_saved_is_what_the_next_invoice_follows(as_role):
    admin = as_role("Administrator")

    answer = save(
        admin,
        lead_days="14",
        lead_monthly="7",
        due_policy="period_start",
        start_policy="activation",
    )

    assert answer.status_code == 302
    rules = billing_rules()
    assert (rules.lead_days, rules.lead_days_by_cycle) == (14, {"monthly": 7})
    assert (rules.lead_days_of("monthly"), rules.lead_days_of("annual")) == (7, 14)
    assert (rules.due_policy, rules.start_policy, rules.proforma) == (
        *("period_start", "activation"),
        False,
    )


def test_every_change_is_remembered_with_what_was_before(as_role):
    admin = as_role("Administrator")
    save(admin, lead_days="14", lead_monthly="7")

    save(admin, lead_days="14", lead_monthly="7", term_days="30", proforma="on")
    save(admin, lead_days="14", lead_monthly="7", term_days="30", proforma="on")

    entries = Entry.objects.filter(action="billing_settings.changed").order_by("pk")
    assert [entry.summary for entry in entries] == [
        "Billing settings: lead days from 0 to 14; lead days by cycle from none to monthly 7",
        "Billing settings: term days from 14 to 30; proforma from no to yes",
    ]
    assert entries[1].details["term_days"] == {"before": 14, "after": 30}
    shown = text(admin.get(reverse(URL)))
    assert "term days from 14 to 30" in shown


def test_a_cycle_that_is_emptied_follows_all_others_again(as_role):
    admin = as_role("Administrator")
    save(admin, lead_days="14", lead_monthly="7")

    save(admin, lead_days="14", lead_monthly="")

    assert billing_rules().lead_days_by_cycle == {}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"lead_days": "30"}, "Monthly has at most 27 lead days: give it fewer of its own."),
        ({"lead_monthly": "28"}, "At most 27: the period before must have begun."),
        ({"lead_annual": "336"}, "At most 335: the period before must have begun."),
        ({"lead_days": "-1"}, "Ensure this value is greater than or equal to 0."),
        ({"lead_quarterly": "-1"}, "Ensure this value is greater than or equal to 0."),
        ({"term_days": "9999"}, "At most 365 days."),
        ({"term_days": ""}, "This field is required."),
        ({"due_policy": "never"}, "Select a valid choice."),
        ({"change_offer_days": "91"}, "At most 90 days."),
    ],
)
def test_absurd_days_are_refused_with_a_sentence(as_role, changed, sentence):
    answer = save(as_role("Administrator"), **changed)

    assert sentence in text(answer)
    assert not BillingSettings.objects.exists()


def test_more_lead_days_are_fine_when_a_month_has_fewer_of_its_own(as_role):
    save(as_role("Administrator"), lead_days="30", lead_monthly="7")

    assert billing_rules().lead_days == 30


@pytest.mark.parametrize("role", ["Billing", "Support", "Read only"])
def test_others_read_the_rules_and_change_none(as_role, role):
    browser = as_role(role)

    shown = browser.get(reverse(URL))
    answer = save(browser, lead_days="14")

    assert (shown.status_code, answer.status_code) == (200, 403)
    assert "Only administrators change these." in text(shown)
    assert not BillingSettings.objects.exists()


def test_the_page_is_in_the_sidebar(as_role):
    assert reverse(URL) in as_role("Billing").get(reverse("admin:index")).content.decode()
