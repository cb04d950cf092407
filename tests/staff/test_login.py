import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client as Browser

from tests.factories import make_user
from tests.staff.conftest import PASSWORD

LOGIN = "/staff/login/"


@pytest.fixture
def member(db):
    return make_user("member@example.org", password=PASSWORD, is_staff=True)


def log_in(browser, email="member@example.org", password=PASSWORD, **more):
    return browser.post(LOGIN, {"username": email, "password": password} | more)


def test_staff_log_in_by_e_mail_in_any_case_and_land_on_the_dashboard(member):
    answer = log_in(Browser(), "Member@Example.org")

    assert (answer.status_code, answer["Location"]) == (302, "/staff/")


def test_after_logging_in_staff_go_where_they_wanted_to(member):
    answer = log_in(Browser(), next="/staff/jobs/")

    assert answer["Location"] == "/staff/jobs/"


def test_logging_in_does_not_lead_to_another_host(member):
    answer = log_in(Browser(), next="https://evil.example/staff/")

    assert answer["Location"] == "/staff/"


def test_a_wrong_password_says_so_and_logs_nobody_in(member):
    browser = Browser()

    page = log_in(browser, password="wrong")

    assert "do not open the staff dashboard" in page.content.decode()
    assert "_auth_user_id" not in browser.session


def test_a_client_cannot_log_in_as_staff(db):
    make_user("client@example.org", password=PASSWORD)
    browser = Browser()

    page = log_in(browser, "client@example.org")

    assert "do not open the staff dashboard" in page.content.decode()
    assert "_auth_user_id" not in browser.session


def test_guessing_is_stopped_even_if_the_next_guess_is_right(member):
    browser = Browser()
    for _ in range(5):
        log_in(browser, password="wrong")

    page = log_in(browser)

    assert "Too many failed login attempts" in page.content.decode()
    assert "_auth_user_id" not in browser.session


def test_staff_with_a_second_factor_are_asked_for_it(member):
    TOTP.activate(member, generate_totp_secret())
    browser = Browser()

    answer = log_in(browser)

    assert Authenticator.objects.filter(user=member).exists()
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/2fa/authenticate/")
    assert "_auth_user_id" not in browser.session


def test_strangers_are_sent_to_the_log_in_and_clients_too(db):
    browser = Browser()
    assert browser.get("/staff/jobs/")["Location"] == "/staff/login/?next=/staff/jobs/"

    browser.force_login(make_user())

    assert browser.get("/staff/jobs/")["Location"] == "/staff/login/?next=/staff/jobs/"


def test_the_dashboard_has_its_own_policy_and_the_rest_of_the_portal_a_stricter_one(db):
    dashboard = Browser().get(LOGIN)["Content-Security-Policy"]
    portal = Browser().get("/accounts/login/")["Content-Security-Policy"]

    assert "'unsafe-eval'" in dashboard
    assert "'unsafe-eval'" not in portal
    for policy in (dashboard, portal):
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "http" not in policy
