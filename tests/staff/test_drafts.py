"""Staff write, preview, publish, copy, split, merge and mark invoices."""

from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse

from billing_portal.audit.models import Entry
from billing_portal.invoices import drafting
from billing_portal.invoices.drafting import DraftContent, ManualLine
from billing_portal.invoices.models import Invoice
from billing_portal.mail.models import ClientMail
from billing_portal.taxes.models import TaxRule, TaxSettings
from tests.factories import AT, make_client, make_invoice, make_service, make_user

pytestmark = pytest.mark.django_db

DUE = date(2099, 1, 1)


@pytest.fixture
def client(db):
    return make_client()


def text(answer):
    return " ".join(answer.content.decode().split())


def typed(*rows, **more):
    """What the form sends; a row is description, quantity, price."""
    sent = {
        "lines-TOTAL_FORMS": str(len(rows) + 1),
        "lines-INITIAL_FORMS": "0",
        "due_date": "2099-01-01",
        f"lines-{len(rows)}-quantity": "1",
        f"lines-{len(rows)}-taxable": "on",
    }
    for number, (description, quantity, price) in enumerate(rows):
        sent |= {
            f"lines-{number}-description": description,
            f"lines-{number}-quantity": quantity,
            f"lines-{number}-unit_price": price,
            f"lines-{number}-taxable": "on",
        }
    return sent | more


def draft(client, *prices):
    lines = [ManualLine(f"Line {p}", Decimal(1), Decimal(p)) for p in prices or ("10",)]
    return drafting.write(client, DraftContent(lines, DUE), at=AT, actor=None)


def go(name, row):
    return reverse(f"staff:{name}", args=[row.pk])


def test_a_draft_is_written_previewed_with_tax_and_saved(client, staff):
    TaxSettings.objects.create(pk=1, enabled=True, seller_country="DE")
    TaxRule.objects.create(name="VAT", country="DE", percent=Decimal(19))
    rows = (("Consulting", "2.5", "80"), ("Travel", "1", "15.5"))

    seen = text(staff.post(go("draft-new", client), typed(*rows, preview="1")))
    assert "€200.00" in seen and "VAT 19 % of €215.50" in seen and "€256.45" in seen
    assert not Invoice.objects.exists()
    saved = staff.post(go("draft-new", client), typed(*rows), follow=True)

    invoice = Invoice.objects.get()
    assert saved.redirect_chain[-1][0] == go("invoice", invoice)
    assert (invoice.status, invoice.total, invoice.due_date) == ("draft", Decimal("256.45"), DUE)
    assert "nobody but staff sees it" in text(saved)


def test_more_rows_come_with_what_is_typed(client, staff):
    page = staff.post(go("draft-new", client), typed(("Consulting", "1", "80"), more="1"))

    assert page.context["lines"].total_form_count() == 5
    assert 'value="Consulting"' in text(page)


def test_a_draft_is_changed_and_a_line_removed(client, staff):
    invoice = draft(client, "10", "20")

    assert 'value="Line 20"' in text(staff.get(go("draft-edit", invoice)))
    staff.post(
        go("draft-edit", invoice),
        typed(("Line 10", "1", "10"), ("Line 20", "3", "20"), **{"lines-0-DELETE": "on"}),
    )

    invoice.refresh_from_db()
    assert (invoice.total, invoice.lines.count()) == (Decimal("60.000"), 1)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ((), "Fill in at least one line."),
        ((("Work", "1", "-5"),), "It comes to less than zero. Write a credit note instead."),
        ((("Work", "999999", "99999999"),), "That is more than can be billed."),
        ((("Work", "x", "5"),), "Enter a number."),
        ((("Work", "1", "NaN"),), "Enter a number."),
        ((("", "1", "5"),), "This field is required."),
    ],
)
def test_what_cannot_be_billed_is_said_in_a_sentence(client, staff, rows, sentence):
    answer = staff.post(go("draft-new", client), typed(*rows))

    assert answer.status_code == 200 and sentence in text(answer)
    assert not Invoice.objects.exists()


def test_publishing_asks_first_and_mails_unless_told_not_to(client, staff):
    loud, quiet = draft(client), draft(client)

    assert "Publish and mail to" in text(staff.get(go("draft-publish", loud)))
    staff.post(go("draft-publish", loud))
    staff.post(go("draft-publish", quiet), {"quietly": "1"})

    assert sorted(Invoice.objects.values_list("status", flat=True)) == ["unpaid", "unpaid"]
    assert list(ClientMail.objects.values_list("key", flat=True)) == [f"invoice_issued:{loud.pk}"]


def test_publishing_twice_says_that_it_is_published(client, staff):
    invoice = draft(client)
    staff.post(go("draft-publish", invoice))

    answer = staff.post(go("draft-publish", invoice), follow=True)

    assert "is published and cannot change any more." in text(answer)
    assert Entry.objects.filter(action="invoice.issued").count() == 1
    assert staff.get(go("draft-edit", invoice)).status_code == 302


def test_a_draft_is_thrown_away_after_a_question(client, staff):
    invoice = draft(client)

    assert "no number is lost" in text(staff.get(go("draft-delete", invoice)))
    staff.post(go("draft-delete", invoice))

    assert not Invoice.objects.exists()


def test_an_invoice_is_copied_to_a_draft(client, staff):
    original = make_invoice(client, advance={make_service(client): "30.00"})

    answer = staff.post(go("invoice-duplicate", original), follow=True)

    assert f"This is a copy of {original}." in text(answer)
    assert Invoice.objects.filter(status="draft").get().total == Decimal("30.00")


def test_chosen_lines_are_split_off(client, staff):
    invoice = draft(client, "10", "20")
    line = invoice.lines.get(description="Line 20")

    assert "Line 20" in text(staff.get(go("invoice-split", invoice)))
    staff.post(go("invoice-split", invoice), {"line": [line.pk]})

    assert sorted(Invoice.objects.values_list("total", flat=True)) == [Decimal(10), Decimal(20)]


def test_a_split_that_cannot_be_says_why(client, staff):
    paid = make_invoice(client, advance={make_service(client): "9.00"}, status="paid")

    assert f"It cannot be split: {paid} is paid." in text(staff.get(go("invoice-split", paid)))


def test_chosen_documents_are_merged(client, staff):
    two = [draft(client, "10"), draft(client, "20")]
    paid = make_invoice(
        client, advance={make_service(client): "9.00"}, paid_amount=Decimal(1), number="INV-7"
    )

    page = text(staff.get(go("client-merge", client)))
    assert f"{paid} is paid or credited in part." in page
    staff.post(go("client-merge", client), {"invoice": [row.pk for row in two]})

    assert Invoice.objects.get(status="draft").total == Decimal(30)


def test_an_invoice_is_given_to_collections_with_a_reason(client, staff):
    invoice = make_invoice(client, advance={make_service(client): "9.00"})

    staff.post(
        go("invoice-mark", invoice), {"status": "collections", "reason": "Lawyer", "key": "k"}
    )

    invoice.refresh_from_db()
    assert invoice.status == "collections"


PAGES = ("draft-edit", "draft-publish", "draft-delete", "invoice-split", "invoice-mark")


def test_who_may_only_look_may_not_write(client, as_role):
    invoice = draft(client)
    reader = as_role("Read only")

    answers = {name: reader.get(go(name, invoice)).status_code for name in PAGES}

    assert set(answers.values()) == {403}
    assert reader.get(go("draft-new", client)).status_code == 403
    assert reader.get(go("invoice", invoice)).status_code == 200
    assert "Publish" not in text(reader.get(go("invoice", invoice)))


# --- What the client sees -----------------------------------------------------------------


@pytest.fixture
def customer(client):
    owner = make_user()
    client.memberships.create(user=owner, is_owner=True)
    return owner


def test_no_page_of_the_client_shows_a_draft(client, customer, staff):
    invoice = draft(client, "777")
    staff.force_login(customer)

    for address in (f"/invoices/{invoice.pk}/", f"/invoices/{invoice.pk}/pdf/"):
        assert staff.get(address).status_code == 404
    assert staff.post(f"/invoices/{invoice.pk}/pay/", {"gateway": "test"}).status_code == 404
    for address in ("/", "/invoices/"):
        shown = text(staff.get(address))
        assert "777" not in shown and f"/invoices/{invoice.pk}/" not in shown


def test_no_sum_counts_a_draft_and_search_finds_none(client, staff):
    draft(client, "777")

    summary = staff.get(reverse("staff:client", args=[client.pk]))
    assert (summary.context["figures"]["owed"], list(summary.context["unpaid"])) == (0, [])
    assert "€777.00" not in text(staff.get(reverse("admin:index")))
    for report in ("aging", "months"):
        assert "€777.00" not in text(staff.get(reverse("staff:report", args=[report])))
    assert "Draft" not in text(staff.get("/staff/search/", {"s": "Draft", "extended": "1"}))
