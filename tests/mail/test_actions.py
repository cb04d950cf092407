"""Queueing a mail: once, rendered for people, nothing escaped where it is not HTML."""

import pytest
from django.db import transaction
from django.template import Template
from post_office.models import STATUS, Email, EmailTemplate

from billing_portal.celery import app as celery_app
from billing_portal.mail import actions
from billing_portal.mail.defaults import DEFAULT_TEMPLATES
from billing_portal.mail.models import ClientMail
from billing_portal.mail.queries import mails_of
from tests.conftest import SentTask
from tests.factories import AT

pytestmark = pytest.mark.django_db

NAME = 'Bits & <b>Bytes</b> "O\'Neil"'


def send(key="1", template="service_active", to="ann@example.org", **options):
    context = {
        "client": NAME,
        "service": "Box - mail",
        "summary": "size 5",
        "path": "/services/7/",
    } | options.pop("context", {})
    return actions.send(template, to=to, key=key, context=context, at=AT, **options)


def test_a_mail_is_queued_as_text_and_html():
    sent = send(copies=["bob@example.org"], client_id=12)

    email = sent.email
    assert (email.to, email.cc, email.status) == (
        ["ann@example.org"],
        ["bob@example.org"],
        STATUS.queued,
    )
    assert email.from_email == "Northwind Hosting <billing@northwind.example>"
    assert email.subject == "Box - mail is ready"
    assert email.message == (
        f"Hello {NAME},\n\nyour service Box - mail (size 5) is active.\n\n"
        "The log-in details are on its page, where you can reveal and copy them:\n\n"
        "http://127.0.0.1:8000/services/7/\n\n"
        "Questions? Just reply, or write to billing@northwind.example.\n\nNorthwind Hosting"
    )
    assert '<a href="http://127.0.0.1:8000/services/7/"' in email.html_message
    assert (sent.key, sent.template, sent.client_ref, sent.at) == (
        "service_active:1",
        "service_active",
        12,
        AT,
    )


def test_html_in_a_name_is_shown_and_never_obeyed():
    email = send(context={"service": NAME}).email

    escaped = "Bits &amp; &lt;b&gt;Bytes&lt;/b&gt; &quot;O&#x27;Neil&quot;"
    assert escaped in email.html_message
    assert "<b>Bytes" not in email.html_message
    assert f"Hello {NAME}," in email.message
    assert email.subject == f"{NAME} is ready"


def test_template_code_in_a_name_is_text():
    email = send(context={"client": "{{ seller }} {% now 'Y' %}"}).email

    assert "Hello {{ seller }} {% now 'Y' %}," in email.message
    assert "{{ seller }}" in email.html_message


def test_a_line_break_cannot_get_into_the_subject():
    email = send(context={"service": "Box\r\nBcc: eve@example.org"}).email

    assert email.subject == "Box Bcc: eve@example.org is ready"


def test_the_same_mail_is_sent_once():
    first = send()

    assert send(to="other@example.org", context={"service": "Other"}) == first
    assert Email.objects.count() == 1


def test_another_key_or_template_is_another_mail():
    send("1")
    send("2")
    send("1", template="service_suspended")

    assert list(ClientMail.objects.order_by("pk").values_list("key", flat=True)) == [
        "service_active:1",
        "service_active:2",
        "service_suspended:1",
    ]


def test_delivery_is_asked_for_after_the_commit(sent_tasks, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        send()
        assert sent_tasks == []

    assert sent_tasks == [SentTask("billing_portal.mail.tasks.send_queued_mail")]


def test_a_broker_that_is_down_does_not_show(monkeypatch, django_capture_on_commit_callbacks):
    def refuse(*args, **kwargs):
        raise ConnectionError("no broker")

    monkeypatch.setattr(celery_app, "send_task", refuse)

    with django_capture_on_commit_callbacks(execute=True):
        send()

    assert Email.objects.count() == 1


def test_a_mail_goes_with_the_transaction_that_wanted_it():
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        send()
        raise ZeroDivisionError

    assert (Email.objects.count(), ClientMail.objects.count()) == (0, 0)


# --- Templates ----------------------------------------------------------------------------


def test_missing_templates_are_added_and_edited_ones_kept():
    EmailTemplate.objects.create(name="service_active", subject="Hurray", content="It runs.")

    added = actions.ensure_templates()

    assert sorted(added) == sorted(set(DEFAULT_TEMPLATES) - {"service_active"})
    assert actions.ensure_templates() == []
    email = send().email
    assert (email.subject, email.message, email.html_message) == ("Hurray", "It runs.", "")


def test_what_staff_edit_counts_from_the_next_mail_on():
    send("1")
    EmailTemplate.objects.update(subject="{{ service }} runs")

    assert send("2").email.subject == "Box - mail runs"


def test_two_templates_of_one_name_stop_no_mail():
    """Two workers may both make the first one: nothing in the database forbids it."""
    for subject in ("first", "second"):
        EmailTemplate.objects.create(name="service_active", subject=subject, content="x")

    assert send().email.subject == "first"


@pytest.mark.parametrize("name", DEFAULT_TEMPLATES)
def test_every_template_says_when_it_is_sent_and_is_valid(name):
    default = DEFAULT_TEMPLATES[name]

    assert default.description.endswith(".")
    assert default.category in ("invoices", "services", "staff")
    for text in (default.subject, default.text, default.html):
        assert Template(text)  # raises TemplateSyntaxError


def test_the_log_shows_a_clients_mails_newest_first(django_assert_num_queries):
    send("1", client_id=12)
    send("2", client_id=12)
    send("3", client_id=13)

    with django_assert_num_queries(1):
        assert [(m.key, m.email.subject) for m in mails_of(12)] == [
            ("service_active:2", "Box - mail is ready"),
            ("service_active:1", "Box - mail is ready"),
        ]


def test_an_unknown_template_is_our_mistake():
    with pytest.raises(KeyError):
        send(template="nope")
