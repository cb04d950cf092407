"""Handing mails over: each once, failures again later, no mail lost with a worker."""

from datetime import timedelta

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from post_office.models import STATUS, Email, Log

from billing_portal.mail import actions, delivery, tasks
from tests.factories import AT, utc

pytestmark = pytest.mark.django_db

NOW = utc(2026, 11, 20, 8)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    def set_to(at):
        monkeypatch.setattr(delivery.timezone, "now", lambda: at)

    set_to(NOW)
    return set_to


@pytest.fixture
def email():
    context = {"client": "Ann", "service": "Box", "summary": "size 5"}
    return actions.send(
        "service_active", to="ann@example.org", key="1", context=context, at=AT
    ).email


@pytest.fixture
def broken(monkeypatch):
    """The transport refuses as long as the list holds an error."""
    errors = [ConnectionRefusedError("no mail server")]
    real = EmailBackend.send_messages

    def send(self, messages):
        if errors:
            raise errors[0]
        return real(self, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", send)
    return errors


def row(email):
    email.refresh_from_db()
    return email


def test_a_queued_mail_goes_out_once_with_both_parts(email):
    assert delivery.deliver_queued() == 1
    assert delivery.deliver_queued() == 0

    (message,) = mail.outbox
    assert (message.to, message.subject) == (["ann@example.org"], "Box is ready")
    assert message.body.startswith("Hello Ann,")
    ((html, kind),) = message.alternatives
    assert (kind, "Hello Ann," in html) == ("text/html", True)
    assert row(email).status == STATUS.sent


def test_the_task_delivers(email):
    tasks.send_queued_mail()

    assert len(mail.outbox) == 1


def test_mails_go_out_oldest_first_and_no_more_than_asked(email):
    for number in (2, 3):
        actions.send(
            "service_active", to=f"{number}@example.org", key=str(number), context={}, at=AT
        )

    assert delivery.deliver_queued(limit=2) == 2
    assert [message.to for message in mail.outbox] == [["ann@example.org"], ["2@example.org"]]


def test_of_two_workers_that_saw_a_mail_one_sends_it(email, monkeypatch):
    """Both have listed the mail; the second one comes while the first delivers."""
    real = Email.dispatch

    def dispatch(self, **options):
        assert delivery._deliver(self.pk) is False
        return real(self, **options)

    monkeypatch.setattr(Email, "dispatch", dispatch)

    assert delivery.deliver_queued() == 1
    assert len(mail.outbox) == 1


def test_a_mail_whose_worker_died_is_delivered_by_another(email, monkeypatch, clock):
    def die(self, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Email, "dispatch", die)
        with pytest.raises(KeyboardInterrupt):
            delivery.deliver_queued()

    clock(NOW + timedelta(minutes=4, seconds=59))
    assert delivery.deliver_queued() == 0
    clock(NOW + timedelta(minutes=5))
    assert delivery.deliver_queued() == 1


def test_a_failure_is_tried_again_later_and_later_and_then_left(email, broken, clock):
    at, waits = NOW, []
    for _ in range(4):
        assert delivery.deliver_queued() == 0
        waits.append(row(email).scheduled_time - at)
        at = email.scheduled_time
        clock(at - timedelta(seconds=1))
        assert delivery.deliver_queued() == 0
        clock(at)
    delivery.deliver_queued()

    assert waits == [
        timedelta(minutes=1),
        timedelta(minutes=10),
        timedelta(hours=1),
        timedelta(hours=6),
    ]
    assert (row(email).status, email.number_of_retries) == (STATUS.failed, 4)
    clock(at + timedelta(days=30))
    assert delivery.deliver_queued() == 0
    assert Log.objects.filter(status=STATUS.failed).count() == 5


def test_a_retry_succeeds_once_the_transport_is_back(email, broken, clock):
    delivery.deliver_queued()
    broken.clear()
    clock(NOW + timedelta(minutes=1))

    assert delivery.deliver_queued() == 1
    assert (len(mail.outbox), row(email).status) == (1, STATUS.sent)


def test_one_mail_that_fails_does_not_hold_up_the_others(email, monkeypatch):
    actions.send("service_active", to="bob@example.org", key="2", context={}, at=AT)
    real = EmailBackend.send_messages

    def refuse_ann(self, messages):
        if messages[0].to == ["ann@example.org"]:
            raise ConnectionRefusedError("mailbox full")
        return real(self, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", refuse_ann)

    assert delivery.deliver_queued() == 1
    assert [message.to for message in mail.outbox] == [["bob@example.org"]]
