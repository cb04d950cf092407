"""The mail about a document carries its PDF, drawn when the mail leaves."""

import pytest
from django.core import mail
from django.utils.module_loading import import_string
from post_office.models import Email

from billing_portal.clients.notices import notify
from billing_portal.invoices import mailing
from billing_portal.mail import delivery
from tests.factories import AT, make_invoice, make_service
from tests.invoices.documents import VAT_19, advance, credit_note, issued, make_business

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    return make_business()


@pytest.fixture
def invoice(client):
    """An invoice of which nobody was told yet."""
    invoice = issued(client, recurring=[advance(client, "10.00")], treatment=VAT_19)
    Email.objects.all().delete()
    return invoice


def tell_of(client, template, row):
    context = {"number": row.number, "total": "€11.90", "path": "/"}
    return notify(client, template, key=str(row.pk), context=context, at=AT)


def attached():
    """Names and first bytes of what the sent mails carry."""
    return [[(name, content[:5]) for name, content, _ in m.attachments] for m in mail.outbox]


def test_the_mail_about_an_invoice_carries_its_pdf(client, invoice):
    tell_of(client, "invoice_issued", invoice)

    assert delivery.deliver_queued() == 1

    assert attached() == [[(f"{invoice.number}.pdf", b"%PDF-")]]


def test_the_mail_about_a_credit_note_carries_its_pdf(client, invoice):
    note = credit_note(invoice, "5.00")
    tell_of(client, "credit_note_issued", note)

    delivery.deliver_queued()

    assert attached() == [[(f"{note.number}.pdf", b"%PDF-")]]


def test_other_mails_carry_nothing(client, invoice):
    tell_of(client, "payment_received", invoice)

    delivery.deliver_queued()

    assert attached() == [[]]


def test_an_operator_may_send_mails_without_papers(client, invoice, settings):
    settings.MAIL_PAPERS = {}
    tell_of(client, "invoice_issued", invoice)

    delivery.deliver_queued()

    assert attached() == [[]]


def test_queueing_a_mail_draws_nothing(client, invoice, monkeypatch):
    drawn = []
    monkeypatch.setattr(mailing, "invoice_pdf", lambda invoice: drawn.append(invoice) or b"%PDF-")

    tell_of(client, "invoice_issued", invoice)
    assert drawn == []
    delivery.deliver_queued()

    assert drawn == [invoice]


def test_a_paper_that_cannot_be_drawn_holds_up_no_mail(client, invoice, monkeypatch, caplog):
    def fail(invoice):
        raise ValueError("no ink")

    monkeypatch.setattr(mailing, "invoice_pdf", fail)
    tell_of(client, "invoice_issued", invoice)
    tell_of(client, "payment_received", invoice)

    assert delivery.deliver_queued() == 2

    assert attached() == [[], []]
    assert "leaves without its papers" in caplog.text


def test_of_a_draft_nothing_is_sent(client):
    draft = make_invoice(
        client, advance={make_service(client): "1.00"}, status="draft", number=None
    )

    assert mailing.invoice_paper(str(draft.pk)) == []
    assert mailing.invoice_paper("999999") == []


def test_every_paper_named_in_the_settings_is_there(settings):
    drawers = {template: import_string(path) for template, path in settings.MAIL_PAPERS.items()}

    assert drawers["invoice_issued"] is mailing.invoice_paper
    assert drawers["credit_note_issued"] is mailing.credit_note_paper
    assert all(map(callable, drawers.values()))
