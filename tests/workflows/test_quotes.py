"""Quotes: written, mailed, accepted once, and invoiced in one or in parts."""

from datetime import date
from decimal import Decimal

import pytest
from django.conf import settings
from post_office.models import Email

from billing_portal.invoices.drafting import DraftRefused
from billing_portal.invoices.models import Invoice
from billing_portal.mail.models import ClientMail
from billing_portal.quotes import actions
from billing_portal.quotes.actions import Offer, OfferLine, QuoteRefused
from billing_portal.quotes.mailing import quote_papers
from billing_portal.quotes.models import Quote
from billing_portal.quotes.pdf import quote_pdf
from billing_portal.quotes.states import TRANSITIONS, Stage
from billing_portal.taxes.models import TaxRule, TaxSettings
from billing_portal.workflows import quotes
from tests.factories import make_client, utc

pytestmark = pytest.mark.django_db

AT = utc(2026, 11, 20, 12)
TERMS = {"at": AT, "actor": None}
PROSPECT = {"first_name": "Pat", "last_name": "Lee", "email": "pat@example.org", "country": "DE"}


@pytest.fixture
def client(db):
    TaxSettings.objects.create(pk=1, enabled=True, seller_country="DE")
    TaxRule.objects.create(name="VAT", country="DE", percent=Decimal(19))
    return make_client()


def offer(client=None, **fields):
    values = {
        "subject": "New PBX",
        "lines": [
            OfferLine("Phones", Decimal(10), Decimal(90), Decimal(10)),
            OfferLine("Stamps", Decimal(1), Decimal(90), taxable=False),
        ],
        "valid_until": date(2026, 12, 20),
        "client": client,
        "prospect": None if client else PROSPECT,
    }
    return Offer(**values | fields)


def written(client=None, **fields):
    return actions.write(offer(client, **fields), **TERMS)


def delivered(client=None, **fields):
    return quotes.deliver(written(client, **fields).pk, **TERMS)


def said(invoice):
    return [f"{line.description}: {line.amount:.2f}" for line in invoice.lines.order_by("position")]


def test_a_quote_adds_up_with_discounts_and_tax(client):
    quote = written(client)

    assert quote.number == "QUO-2026-00001"
    assert [line.amount for line in quote.lines.all()] == [Decimal("810.00"), Decimal("90.00")]
    assert (quote.net_total, quote.tax_total, quote.total) == (
        Decimal("900.00"),
        Decimal("153.90"),
        Decimal("1053.90"),
    )


def test_a_prospect_is_taxed_by_its_country(client):
    assert written(prospect=PROSPECT | {"country": "US"}).tax_total == 0
    assert written().tax_total == Decimal("153.90")


def test_delivering_mails_a_link_and_again_when_asked(client):
    quote = delivered(client)
    quotes.deliver(quote.pk, at=utc(2026, 11, 21), actor=None)
    stranger = delivered()

    mails = list(Email.objects.order_by("pk"))
    assert [mail.to for mail in mails] == [[client.email], [client.email], ["pat@example.org"]]
    assert f"/quotes/{quote.pk}/" in mails[0].message
    assert f"/quotes/key/{stranger.access_key}/" in mails[2].message
    assert "Hello Pat Lee" in mails[2].message


def test_the_mail_carries_the_quote_as_a_pdf(client):
    delivered(client)

    [(template, key)] = ClientMail.objects.values_list("template", "key")
    [paper] = quote_papers(key.removeprefix(f"{template}:"))

    assert settings.MAIL_PAPERS[template] == "billing_portal.quotes.mailing.quote_papers"
    assert paper.name == "QUO-2026-00001.pdf" and paper.content.startswith(b"%PDF-")


def test_a_quote_is_accepted_once(client):
    quote = delivered(client)

    quotes.accept(quote.pk, by="Ann", **TERMS)

    with pytest.raises(QuoteRefused, match="is accepted, so it cannot be accepted"):
        quotes.accept(quote.pk, by="Ann", **TERMS)
    with pytest.raises(QuoteRefused, match="is accepted already"):
        quotes.decline(quote.pk, by="Ann", reason="", **TERMS)
    told = [mail.subject for mail in Email.objects.filter(subject__startswith="Quote")]
    assert told == ["Quote QUO-2026-00001 of Acme Ltd: accepted by Ann"]
    assert not Invoice.objects.exists()


def test_an_expired_quote_is_neither_accepted_nor_mailed(client):
    quote = delivered(client)
    after = utc(2026, 12, 21, 12)

    with pytest.raises(QuoteRefused, match="expired"):
        quotes.accept(quote.pk, by="Ann", at=after, actor=None)
    with pytest.raises(QuoteRefused, match="has expired"):
        quotes.deliver(quote.pk, at=after, actor=None)
    quotes.accept(quote.pk, by="Ann", at=utc(2026, 12, 20, 22), actor=None)


def test_declining_tells_staff_why(client):
    quote = delivered(client)

    quotes.decline(quote.pk, by="Ann", reason="Too dear.", **TERMS)

    assert Quote.objects.get().stage == "lost"
    assert Email.objects.latest("pk").subject.endswith("declined by Ann. Too dear.")


def test_an_accepted_quote_becomes_one_invoice(client):
    quote = quotes.accept(delivered(client).pk, by="Ann", **TERMS)

    invoice = quotes.convert(quote.pk, deposit=False, **TERMS)

    assert (invoice.total, invoice.notes) == (Decimal("1053.90"), "Quote QUO-2026-00001")
    assert said(invoice) == ["Phones, less 10 %: 810.00", "Stamps: 90.00"]
    assert list(quote.invoices.all()) == [invoice]
    with pytest.raises(QuoteRefused, match="All of QUO-2026-00001 is invoiced already"):
        quotes.convert(quote.pk, deposit=False, **TERMS)


def test_a_deposit_is_invoiced_on_acceptance_and_the_rest_later(client):
    quote = quotes.accept(delivered(client, deposit_percent=Decimal(30)).pk, by="Ann", **TERMS)
    [deposit] = Invoice.objects.all()

    rest = quotes.convert(quote.pk, deposit=False, **TERMS)

    text = "Deposit of 30 % for quote QUO-2026-00001"
    assert said(deposit) == [f"{text}: 243.00", f"{text}: 27.00"]
    assert said(rest) == [
        "Phones, less 10 %: 810.00",
        "Stamps: 90.00",
        "Invoiced with INV-2026-00001: -243.00",
        "Invoiced with INV-2026-00001: -27.00",
    ]
    assert (deposit.total, rest.total) == (Decimal("316.17"), Decimal("737.73"))
    assert deposit.total + rest.total == quote.total
    for part in (True, False):
        with pytest.raises(QuoteRefused, match="invoiced already"):
            quotes.convert(quote.pk, deposit=part, **TERMS)


def test_a_prospect_becomes_a_client_and_the_quote_theirs(client):
    quote = quotes.accept(delivered(deposit_percent=Decimal(50)).pk, by="Pat Lee", **TERMS)
    with pytest.raises(QuoteRefused, match="has no client yet"):
        quotes.convert(quote.pk, deposit=True, **TERMS)
    joined = make_client(company_name="Lee Ltd")

    quotes.join(quote.pk, joined, **TERMS)
    quotes.join(quote.pk, joined, **TERMS)

    assert Quote.objects.get().client == joined
    assert Invoice.objects.get().client == joined
    with pytest.raises(QuoteRefused, match="belongs to a client already"):
        quotes.join(quote.pk, make_client(), **TERMS)


def test_a_quote_changes_until_it_is_mailed(client):
    quote = written(client)
    cheaper = offer(client, lines=[OfferLine("Phones", Decimal(1), Decimal(10))])

    actions.rewrite(quote.pk, cheaper, **TERMS)
    assert Quote.objects.get().net_total == Decimal("10.00")
    quotes.deliver(quote.pk, **TERMS)

    with pytest.raises(QuoteRefused, match="is delivered"):
        actions.rewrite(quote.pk, offer(client), **TERMS)
    actions.move_by_hand(quote.pk, Stage.DRAFT, reason="typo", **TERMS)
    actions.rewrite(quote.pk, offer(client), **TERMS)
    assert Quote.objects.get().net_total == Decimal("900.00")


def test_a_copy_is_a_new_draft(client):
    quote = quotes.accept(delivered(client).pk, by="Ann", **TERMS)

    copy = actions.duplicate(quote.pk, valid_until=date(2027, 1, 1), **TERMS)

    assert (copy.number, copy.stage, copy.total) == ("QUO-2026-00002", "draft", quote.total)
    assert copy.access_key != quote.access_key


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"lines": []}, "It has no lines"),
        ({"valid_until": date(2026, 11, 19)}, "expired from the start"),
        ({"lines": [OfferLine("X", Decimal(1), Decimal(-1))]}, "less than zero"),
        ({"lines": [OfferLine("X", Decimal(10**6), Decimal(10**6))]}, "more than can be billed"),
        ({"client": None, "prospect": {"last_name": "Lee"}}, "Say for whom it is"),
    ],
)
def test_an_offer_nobody_could_mean_is_refused(client, fields, sentence):
    with pytest.raises((QuoteRefused, DraftRefused), match=sentence):
        actions.write(offer(**{"client": client} | fields), **TERMS)

    assert not Quote.objects.exists()


def test_only_the_steps_of_the_table_are_taken(client):
    assert set(TRANSITIONS) == set(Stage)
    quote = written(client)

    with pytest.raises(QuoteRefused, match="is draft and cannot become accepted"):
        actions.move_by_hand(quote.pk, Stage.ACCEPTED, reason="", **TERMS)
    with pytest.raises(QuoteRefused, match="delivered by mailing it"):
        actions.move_by_hand(quote.pk, Stage.DELIVERED, reason="", **TERMS)


def test_the_paper_is_a_pdf_and_the_same_each_time(client):
    quote = delivered(client, deposit_percent=Decimal(30), proposal="Dear Ann,\nas discussed")

    assert quote_pdf(quote).startswith(b"%PDF-")
    assert quote_pdf(quote) == quote_pdf(Quote.objects.get())
    assert quote_pdf(delivered()).startswith(b"%PDF-")
