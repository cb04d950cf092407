"""Who may see and do what.  Refused means: 403, and nothing happened."""

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing_portal.accounts.actions import ensure_staff_roles
from billing_portal.audit.models import Entry
from billing_portal.invoices.models import Invoice
from billing_portal.payments.models import Transaction
from billing_portal.services.models import Service
from provisioning.models import Job
from tests.staff.world import add_more_to

ROLES = ["Administrator", "Billing", "Support", "Read only"]


def pages(world):
    """Every page of ours that only shows, by the name of its address."""
    return {
        "admin:index": [],
        "staff:client": [world.client.pk],
        "staff:client-preview": [world.client.pk],
        "staff:client-tax": [world.client.pk],
        "staff:tax-report": [],
        "staff:billing-settings": [],
        "staff:service": [world.service.pk],
        "staff:service-live": [world.service.pk],
        "staff:order": [world.order.pk],
        "staff:invoice": [world.invoice.pk],
        "staff:invoice-pdf": [world.invoice.pk],
        "staff:jobs": [],
        "staff:jobs-live": [],
        "staff:job": [world.job.pk],
        "staff:exchange": [world.exchange.pk],
        "staff:mail": [world.mail.pk],
        "staff:mail-body": [world.mail.pk],
        "staff:reports": [],
        "staff:catalogue": [],
    }


def deeds(world):
    """Every address that changes something: name, arguments, and what is sent."""
    key = {"key": "wish-1"}
    service = world.service.pk
    return [
        ("staff:client-payment", [world.client.pk], {}),
        ("staff:client-bill", [world.client.pk], {}),
        ("staff:client-tax-ask", [world.client.pk], {}),
        ("staff:client-tax-answer", [world.client.pk], {"answer": "valid"}),
        ("staff:tax-rates", [], {"preset": "eu"}),
        ("staff:service-reveal", [service], {}),
        ("staff:service-command", [service, "refresh"], key),
        ("staff:service-command", [service, "resize"], {**key, "size": "6"}),
        ("staff:service-command", [service, "change_password"], key),
        ("staff:service-command", [service, "suspend"], {**key, "reason": "late"}),
        ("staff:service-command", [service, "terminate"], {**key, "name": str(world.service)}),
        ("staff:service-command", [world.waiting.pk, "create"], key),
        ("staff:order-set-up", [world.order.pk], key),
        ("staff:order-cancel", [world.order.pk], {**key, "reason": "mistake"}),
        ("staff:invoice-cancel", [world.invoice.pk], {**key, "reason": "mistake"}),
        ("staff:jobs-retry", [], {"job": [world.job.pk]}),
        ("staff:jobs-resolve", [], {**key, "job": [world.job.pk], "reason": "done by hand"}),
        ("staff:server-test", [world.server.pk], {}),
        ("staff:server-compare", [world.server.pk], {}),
    ]


def everything():
    """What any deed would leave a trace in."""
    return (
        list(Job.objects.order_by("pk").values()),
        list(Service.objects.order_by("pk").values()),
        list(Invoice.objects.order_by("pk").values()),
        Transaction.objects.count(),
        Entry.objects.count(),
    )


def changes(queries):
    return [q["sql"] for q in queries if q["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]


@pytest.mark.parametrize("role", ROLES)
def test_every_role_sees_every_page(role, world, as_role):
    browser = as_role(role)

    answers = {
        name: browser.get(reverse(name, args=args)).status_code
        for name, args in pages(world).items()
    }

    assert answers == dict.fromkeys(answers, 200)


def test_read_only_staff_change_nothing(world, as_role, vendor):
    browser = as_role("Read only")
    before = everything()

    for name, args, sent in deeds(world):
        url = reverse(name, args=args)
        assert browser.post(url, sent).status_code == 403, name
        assert browser.get(url).status_code == 403, name

    assert everything() == before
    assert vendor.calls == []


def test_support_runs_services_and_takes_no_money(world, as_role):
    browser = as_role("Support")
    allowed, refused = set(), set()

    for name, args, sent in deeds(world):
        answer = browser.post(reverse(name, args=args), sent)
        (refused if answer.status_code == 403 else allowed).add(name)

    assert refused == {
        "staff:client-payment",
        "staff:client-bill",
        "staff:invoice-cancel",
        "staff:tax-rates",
    }
    assert "staff:service-command" in allowed


def test_billing_takes_money_and_leaves_jobs_and_servers_alone(world, as_role):
    browser = as_role("Billing")
    refused = {
        name
        for name, args, sent in deeds(world)
        if browser.post(reverse(name, args=args), sent).status_code == 403
    }

    assert refused == {
        "staff:tax-rates",
        "staff:jobs-retry",
        "staff:jobs-resolve",
        "staff:server-test",
        "staff:server-compare",
    }


def test_staff_without_a_role_see_no_client_and_no_money(world, as_role):
    browser = as_role("")

    home = browser.get("/staff/")
    refused = {
        name
        for name, args in pages(world).items()
        if browser.get(reverse(name, args=args)).status_code == 403
    }

    assert "have no role yet" in home.content.decode()
    assert str(world.client) not in home.content.decode()
    assert refused == set(pages(world)) - {"admin:index"}


def test_looking_changes_nothing(world, staff):
    shown = [reverse(name, args=args) for name, args in pages(world).items()]
    done = [reverse(name, args=args) for name, args, _ in deeds(world)]

    for url in shown + done:
        with CaptureQueriesContext(connection) as queries:
            staff.get(url)
        assert changes(queries) == [], url


def test_a_page_costs_no_more_with_more_on_it(world, staff):
    def costs():
        found = {}
        for name, args in pages(world).items():
            with CaptureQueriesContext(connection) as queries:
                staff.get(reverse(name, args=args))
            found[name] = len(queries)
        return found

    few = costs()
    for _ in range(3):
        add_more_to(world)

    assert costs() == few
    assert max(few.values()) <= 32


def test_a_form_from_elsewhere_is_refused(world, boss):
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(boss)

    answer = browser.post(reverse("staff:client-bill", args=[world.client.pk]))

    assert answer.status_code == 403


def test_making_the_roles_again_changes_nothing_and_keeps_what_was_added(db):
    first = {role.name: set(role.permissions.all()) for role in ensure_staff_roles()}
    extra = next(iter(first["Administrator"] - first["Read only"]))
    next(r for r in ensure_staff_roles() if r.name == "Read only").permissions.add(extra)

    again = {role.name: set(role.permissions.all()) for role in ensure_staff_roles()}

    assert list(first) == ROLES
    assert again == first | {"Read only": first["Read only"] | {extra}}


def test_only_administrators_see_servers_users_and_roles_and_support_servers(world, as_role):
    lists = ["provisioning_server", "accounts_user", "auth_group"]

    seen = {
        role: [
            name
            for name in lists
            if as_role(role).get(reverse(f"admin:{name}_changelist")).status_code == 200
        ]
        for role in ROLES
    }

    assert seen == {
        "Administrator": lists,
        "Billing": [],
        "Support": ["provisioning_server"],
        "Read only": [],
    }


def test_an_administrator_cannot_touch_or_become_a_superuser(boss, as_role):
    browser = as_role("Administrator")
    own_id = int(browser.session["_auth_user_id"])
    form = {"email": "me@example.org", "is_active": "on", "is_staff": "on", "is_superuser": "on"}

    on_boss = browser.post(reverse("admin:accounts_user_change", args=[boss.pk]), form)
    password = browser.get(reverse("admin:auth_user_password_change", args=[boss.pk]))
    browser.post(reverse("admin:accounts_user_change", args=[own_id]), form)

    boss.refresh_from_db()
    me = type(boss).objects.get(pk=own_id)
    assert (on_boss.status_code, password.status_code) == (403, 403)
    assert boss.email == "boss@example.org"
    assert (me.email, me.is_superuser) == ("me@example.org", False)
