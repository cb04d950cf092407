"""Taking an invoice from a stored method: once, whatever is lost or happens meanwhile."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from billing_portal.audit.models import Entry
from billing_portal.invoices import moving
from billing_portal.invoices.models import Invoice
from billing_portal.invoices.states import InvoiceStatus
from billing_portal.mail.models import ClientMail
from billing_portal.payments import methods, registry
from billing_portal.payments.captures import CaptureRefused
from billing_portal.payments.methods import MethodInUse, MethodNotUsable
from billing_portal.payments.models import CaptureAttempt, StoredMethod, Transaction
from billing_portal.workflows import captures
from billing_portal.workflows.audit_money import differences
from billing_portal.workflows.invoice_paid import apply_webhook
from tests.conftest import SentTask
from tests.factories import AT, make_client
from tests.workflows.capturing import Bookkeeper, ask, attempts, install, store
from tests.workflows.money import bill, ledger, standing
from tests.workflows.paying import pay

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _gateway(settings) -> Iterator[None]:
    install(settings)
    yield
    registry.gateways.cache_clear()


def take(invoice: Invoice, method: StoredMethod, *, key: str = "a") -> CaptureAttempt:
    return captures.capture_now(invoice.pk, method.pk, request_key=key, at=AT, actor=None)


def mails() -> list[str]:
    return list(ClientMail.objects.order_by("pk").values_list("template", flat=True))


def told(kind: str, event_id: str = "e1", **body: object) -> str:
    """An event of the gateway; its problem."""
    return apply_webhook("test", event_id=event_id, body={"type": kind, **body}, at=AT).problem


def test_the_try_is_written_down_before_the_gateway_is_asked(
    sent_tasks, django_capture_on_commit_callbacks
):
    invoice = bill()

    with django_capture_on_commit_callbacks(execute=True):
        attempt = take(invoice, store(invoice.client))

    assert (attempt.outcome, Bookkeeper.asked) == ("under_way", [])
    assert sent_tasks[-1] == SentTask(
        "billing_portal.workflows.tasks.capture", {"attempt_id": attempt.pk}
    )


def test_a_card_that_works_pays_the_invoice():
    invoice = bill("30.00")
    take(invoice, store(invoice.client))

    [attempt] = ask()

    assert standing(invoice) == ("paid", "0.00", "0.00")
    [payment] = Transaction.objects.all()
    assert (payment.gateway, payment.external_id) == ("test", f"cap_{attempt.request_key}")
    assert payment.note == "Taken from Visa 4242"
    assert (attempt.outcome, attempt.external_id) == ("paid", payment.external_id)
    assert mails() == ["payment_received"]
    assert list(differences()) == []


def test_the_same_form_sent_twice_is_one_try():
    invoice = bill()
    method = store(invoice.client)

    assert take(invoice, method) == take(invoice, method)
    assert CaptureAttempt.objects.count() == 1


def test_two_tries_of_an_invoice_are_never_under_way_at_once():
    invoice = bill()
    method = store(invoice.client)
    take(invoice, method)

    with pytest.raises(CaptureRefused, match="is under way already"):
        take(invoice, method, key="b")


def test_a_lost_reply_is_asked_for_again_with_the_same_key_and_booked_once():
    invoice = bill("30.00")
    take(invoice, store(invoice.client))
    Bookkeeper.lost = 2

    ask(AT)
    assert attempts() == [("11-01", "under_way")]
    ask(AT + timedelta(minutes=1))  # too early to ask again
    ask(AT + timedelta(minutes=3))
    ask(AT + timedelta(minutes=6))
    ask(AT + timedelta(minutes=9))

    assert len(Bookkeeper.asked) == 3
    assert Bookkeeper.taken() == {f"hand:{invoice.pk}:a": "30.00"}
    assert standing(invoice) == ("paid", "0.00", "0.00")
    assert Transaction.objects.count() == 1


def test_a_soft_decline_leaves_the_card_and_says_what_follows():
    invoice = bill()
    method = store(invoice.client, "soft")
    take(invoice, method)

    [attempt] = ask()

    method.refresh_from_db()
    assert (attempt.outcome, attempt.is_final) == ("declined", False)
    assert attempt.message == "Not enough money on the account."
    assert (method.status, method.is_default) == ("active", True)
    assert standing(invoice) == ("unpaid", "30.00", "0.00")
    [mail] = ClientMail.objects.all()
    assert mail.template == "capture_declined"
    assert mail.email.subject == f"We could not take €30.00 for {invoice.number}"
    assert "We try again on 2026-12-15." in mail.email.message  # its due day


def test_a_hard_decline_ends_the_card():
    invoice = bill()
    method = store(invoice.client, "hard")
    take(invoice, method)

    [attempt] = ask()

    method.refresh_from_db()
    assert (attempt.outcome, attempt.is_final) == ("declined", True)
    assert (method.status, method.is_default) == ("refused", False)
    assert mails() == ["capture_refused"]
    with pytest.raises(CaptureRefused, match="can no longer be used"):
        take(invoice, method, key="b")
    with pytest.raises(MethodNotUsable, match="Visa 0002 can no longer be used"):
        methods.make_default(method.pk, today=date(2026, 11, 2), at=AT, actor=None)


def test_a_pending_capture_waits_and_is_paid_by_an_event():
    invoice = bill("30.00")
    take(invoice, store(invoice.client, "pending"))
    [attempt] = ask()
    assert (attempt.outcome, standing(invoice)) == ("pending", ("pending", "30.00", "0.00"))
    assert mails() == []

    problem = told(
        "paid",
        invoice_id=invoice.pk,
        payment_id=attempt.external_id,
        amount="30.00",
        currency="EUR",
    )

    assert problem == ""
    assert standing(invoice) == ("paid", "0.00", "0.00")
    assert attempts() == [("11-01", "paid")]


def test_a_pending_capture_that_fails_makes_the_invoice_unpaid_again():
    invoice = bill()
    take(invoice, store(invoice.client, "pending"))
    [attempt] = ask()
    said = {"payment_id": attempt.external_id, "message": "No money.", "final": False}

    assert told("capture_declined", **said) == ""
    assert told("capture_declined", "e2", **said) == ""

    assert standing(invoice) == ("unpaid", "30.00", "0.00")
    assert (attempts(), mails()) == ([("11-01", "declined")], ["capture_declined"])


def test_an_event_about_no_capture_of_ours_is_kept_for_staff():
    said = {"payment_id": "cap_nobody", "message": "", "final": False}

    assert told("capture_declined", **said) == "No capture is called 'cap_nobody'."


def test_what_was_paid_by_other_means_meanwhile_becomes_credit():
    invoice = bill("30.00")
    take(invoice, store(invoice.client))
    Bookkeeper.lost = 1
    ask(AT)
    pay(invoice, "30.00")

    ask(AT + timedelta(minutes=3))

    assert standing(invoice) == ("paid", "0.00", "30.00")
    assert ledger(invoice.client) == [("overpayment", "30.00")]
    assert attempts() == [("11-01", "paid")]
    assert list(differences()) == []


def test_an_invoice_paid_before_the_gateway_was_asked_is_not_taken():
    invoice = bill("30.00")
    take(invoice, store(invoice.client))
    pay(invoice, "30.00")

    [attempt] = ask()

    assert (attempt.outcome, Bookkeeper.asked) == ("failed", [])
    assert standing(invoice) == ("paid", "0.00", "0.00")
    assert mails() == ["payment_received"]


def test_only_what_is_still_open_is_taken():
    invoice = bill("30.00")
    take(invoice, store(invoice.client))
    pay(invoice, "10.00")

    ask()

    assert list(Bookkeeper.taken().values()) == ["20.00"]
    assert standing(invoice) == ("paid", "0.00", "0.00")


@pytest.mark.parametrize("card", ["works", "pending"])
def test_a_method_with_a_payment_under_way_is_not_removed(card):
    invoice = bill()
    method = store(invoice.client, card)
    take(invoice, method)
    if card == "pending":
        ask()

    with pytest.raises(MethodInUse, match=r"A payment with .* is under way"):
        methods.remove(method.pk, at=AT, actor=None)


def test_a_removed_method_keeps_no_token():
    method = store(make_client())

    methods.remove(method.pk, at=AT, actor=None)

    method.refresh_from_db()
    assert (method.status, method.is_default, method.token) == ("removed", False, {})


@pytest.mark.parametrize("state", [InvoiceStatus.COLLECTIONS, InvoiceStatus.PENDING])
def test_only_an_unpaid_invoice_is_taken(state):
    invoice = bill()
    method = store(invoice.client)
    moving.mark(invoice.pk, state, reason="x", at=AT, actor=None)

    with pytest.raises(CaptureRefused, match="needs no payment now"):
        take(invoice, method)


def test_another_clients_card_is_refused():
    invoice = bill()

    with pytest.raises(CaptureRefused, match="can no longer be used"):
        take(invoice, store(make_client()))


def test_a_method_told_of_twice_is_one_row_and_the_first_is_the_default():
    client = make_client(payment_method="bank_transfer")
    said = {"client_id": client.pk, "reference": "works:2026-11:abc"}

    assert (told("stored", "e1", **said), told("stored", "e2", **said)) == ("", "")
    told("stored", "e3", client_id=client.pk, reference="expires:2026-11:def")

    first, second = StoredMethod.objects.order_by("pk")
    assert (str(first), first.is_default) == ("Visa 4242", True)
    assert (str(second), second.is_default) == ("Mastercard 4444", False)
    assert (first.expires_on, second.expires_on) == (date(2029, 12, 1), date(2027, 1, 1))
    client.refresh_from_db()
    assert client.payment_method == "test"


@pytest.mark.parametrize(
    ("reference", "client"), [("nothing", "own"), ("gold:2026-11:x", "own"), ("works:2026-1:x", "")]
)
def test_nonsense_stores_nothing(reference, client):
    client_id = make_client().pk if client else 999_999

    assert told("stored", client_id=client_id, reference=reference) != ""
    assert StoredMethod.objects.count() == 0


def test_a_card_is_no_secret_anywhere_but_its_token_is():
    invoice = bill()
    told("stored", client_id=invoice.client_id, reference="works:2026-11:s3cret")
    method = StoredMethod.objects.get()
    take(invoice, method)
    ask()

    column = StoredMethod.objects.extra(select={"raw": "token"}).values_list("raw", flat=True)
    assert "tok_" not in str(list(column))
    assert not [entry for entry in Entry.objects.all() if "tok_" in entry.summary]
