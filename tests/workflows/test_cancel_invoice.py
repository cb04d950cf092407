"""A cancelled renewal: its period is billed again, or never, as whoever cancels it says."""

from datetime import date
from decimal import Decimal

import pytest

from billing_portal.audit.models import Entry
from billing_portal.invoices.models import Charge, Invoice
from billing_portal.products.models import Addon
from billing_portal.promotions.models import Promotion
from billing_portal.services.models import Service, ServiceAddon
from billing_portal.services.schedule import PeriodNotTakenBack
from billing_portal.workflows import bill_run
from billing_portal.workflows.cancel_invoice import cancel_invoice
from tests.factories import make_charge, make_client, make_product, make_service, utc
from tests.workflows.billing import lines, totals

pytestmark = pytest.mark.django_db

DECEMBER = utc(2026, 12, 1, 3)


def make_rented(**fields: object) -> Service:
    """30.00 a month since 1 November, the first of which is invoiced."""
    values = {"billed_until": date(2026, 12, 1), "periods_billed": 1}
    return make_service(
        make_client(), product=make_product(module_key=""), recurring="30", **values | fields
    )


def bill(at=DECEMBER) -> Invoice:
    (invoice,) = bill_run.bill_all(at).issued
    return invoice


def cancel(invoice: Invoice, *, bill_again: bool) -> Invoice:
    return cancel_invoice(
        invoice.pk, bill_again=bill_again, reason="wrong price", at=DECEMBER, actor=None
    )


def standing(service: Service) -> tuple[str, int]:
    service.refresh_from_db()
    return f"{service.billed_until}", service.periods_billed


def test_a_period_to_be_billed_again_is_on_the_next_run_at_todays_price():
    service = make_rented()
    renewal = bill()
    assert standing(service) == ("2027-01-01", 2)

    cancel(renewal, bill_again=True)
    assert standing(service) == ("2026-12-01", 1)
    Service.objects.update(recurring_amount=Decimal(25))

    assert lines(bill(utc(2026, 12, 2, 3))) == [("recurring", "2026-12-01", "2027-01-01", "25.00")]
    assert standing(service) == ("2027-01-01", 2)
    assert totals() == [("INV-2026-00001", "30.00"), ("INV-2026-00002", "25.00")]
    assert Entry.objects.get(action="invoice.periods_taken_back").summary == (
        f"The periods of {renewal.number} will be billed again: Box from 2026-12-01"
    )


def test_a_period_not_to_be_billed_stays_free_and_the_next_one_follows():
    service = make_rented()

    cancel(bill(), bill_again=False)

    assert bill_run.bill_all(utc(2026, 12, 20)).issued == []
    assert lines(bill(utc(2027, 1, 1, 3))) == [("recurring", "2027-01-01", "2027-02-01", "30.00")]
    assert standing(service) == ("2027-02-01", 3)


def test_two_periods_on_one_invoice_are_both_billed_again():
    service = make_rented(billed_until=date(2026, 11, 1), periods_billed=0)

    cancel(bill(), bill_again=True)

    assert standing(service) == ("2026-11-01", 0)
    assert lines(bill()) == [
        ("recurring", "2026-11-01", "2026-12-01", "30.00"),
        ("recurring", "2026-12-01", "2027-01-01", "30.00"),
    ]


def test_a_period_before_another_invoice_cannot_be_billed_again_and_nothing_is_cancelled():
    service = make_rented()
    renewal = bill()
    bill(utc(2027, 1, 1, 3))

    with pytest.raises(PeriodNotTakenBack) as refusal:
        cancel(renewal, bill_again=True)

    assert str(refusal.value) == (
        f"{service} is invoiced until 2027-02-01 already, so its period to 2027-01-01 cannot "
        "be billed again: cancel the later invoice first, or leave the period out."
    )
    renewal.refresh_from_db()
    assert (renewal.status, standing(service)) == ("unpaid", ("2027-02-01", 3))


def test_an_ended_service_is_not_billed_again():
    service = make_rented()
    renewal = bill()
    Service.objects.update(status="terminated", ended_at=DECEMBER)

    with pytest.raises(PeriodNotTakenBack, match="is terminated, so no bill run asks for it again"):
        cancel(renewal, bill_again=True)

    cancel(renewal, bill_again=False)
    assert standing(service)[0] == "2027-01-01"


def test_days_before_the_first_whole_period_are_left_to_people():
    service = make_rented(anchor_date=date(2026, 12, 1), billed_until=date(2026, 12, 1))
    stub = Invoice.objects.create(
        client=service.client,
        number="INV-1",
        currency="EUR",
        issued_at=DECEMBER,
        issue_date=date(2026, 11, 20),
        due_date=date(2026, 11, 20),
        net_total=11,
        total=11,
        seller={},
        buyer={},
    )
    stub.lines.create(
        position=1,
        kind="recurring",
        service=service,
        description="Box, 11 of 30 days",
        period_start=date(2026, 11, 20),
        period_end=date(2026, 12, 1),
        amount=11,
    )

    with pytest.raises(PeriodNotTakenBack, match="no whole period"):
        cancel(stub, bill_again=True)


def test_cancelling_twice_takes_one_period_back():
    service = make_rented(billed_until=date(2026, 11, 1), periods_billed=0)
    bill(utc(2026, 11, 2))
    renewal = bill()

    cancel(renewal, bill_again=True)
    cancel(renewal, bill_again=True)

    assert standing(service) == ("2026-12-01", 1)


def test_the_promotion_gets_its_period_back():
    promotion = Promotion.objects.create(code="HALF", kind="percent", value=50)
    service = make_rented(promotion=promotion, discount_amount=Decimal(15), discounts_left=1)
    renewal = bill()
    assert (f"{renewal.total:.2f}", Service.objects.get().discounts_left) == ("15.00", 0)

    cancel(renewal, bill_again=True)

    assert Service.objects.get().discounts_left == 1
    assert f"{bill().total:.2f}" == "15.00"
    service.refresh_from_db()
    assert service.discounts_left == 0


def test_an_add_ons_period_is_billed_again_too():
    service = make_rented()
    addon = ServiceAddon.objects.create(
        service=service,
        addon=Addon.objects.create(name="Mail", slug="mail"),
        status="active",
        cycle="monthly",
        currency="EUR",
        recurring_amount=5,
        anchor_date=date(2026, 11, 1),
        billed_until=date(2026, 12, 1),
        created_at=DECEMBER,
        activated_at=DECEMBER,
    )
    renewal = bill()
    assert f"{renewal.total:.2f}" == "35.00"

    cancel(renewal, bill_again=True)

    addon.refresh_from_db()
    assert addon.billed_until == date(2026, 12, 1)
    assert f"{bill().total:.2f}" == "35.00"


@pytest.mark.parametrize(("bill_again", "is_open"), [(True, True), (False, False)])
def test_an_item_is_billed_again_only_with_the_periods(bill_again, is_open):
    service = make_rented()
    make_charge(service, kind="item", amount=Decimal("7.00"), evidence={})
    renewal = bill()
    assert f"{renewal.total:.2f}" == "37.00"

    cancel(renewal, bill_again=bill_again)

    assert Charge.objects.filter(line__isnull=True).exists() == is_open
