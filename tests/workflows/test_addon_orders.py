"""Add-ons of a running service: ordered, paid, billed, cancelled, ended with their service."""

from datetime import date
from decimal import Decimal

import pytest

from billing_portal.audit.models import Entry
from billing_portal.automation.models import AutomationSettings
from billing_portal.automation.queries import BusinessDay
from billing_portal.calc.invoice import LineKind
from billing_portal.invoices.models import BillingSettings, Invoice, InvoiceStatus
from billing_portal.mail.models import ClientMail
from billing_portal.services import actions as services
from billing_portal.services import addons
from billing_portal.services.addons import AddonRefused
from billing_portal.services.models import ServiceAddon
from billing_portal.services.states import ServiceStatus
from billing_portal.workflows import addon_orders
from billing_portal.workflows.bill_run import bill_all, bill_client
from tests.factories import (
    AT,
    make_addon,
    make_client_group,
    make_product,
    make_service,
    make_user,
    utc,
)
from tests.workflows.billing import lines
from tests.workflows.ordering import order_addon
from tests.workflows.paying import pay

pytestmark = pytest.mark.django_db

D = Decimal


@pytest.fixture(autouse=True)
def _vendor(vendor):
    pass


@pytest.fixture
def service():
    return make_service(
        product=make_product(name="Mail", module_key=""),
        recurring="30",
        billed_until=date(2026, 12, 1),
        label="office",
    )


def ordered(service, *, paid=True, at=AT, **fields):
    """An add-on for 5.00 a month with set-up 2.00, paid unless it should not be."""
    row = order_addon(service, make_addon(service.product, "5", setup_fee="2", **fields), at=at)
    if paid:
        pay(Invoice.objects.get(), "7.00")
        row.refresh_from_db()
    return row


def mails():
    return [mail.email.subject for mail in ClientMail.objects.order_by("pk")]


def on(day):
    return BusinessDay(day, utc(day.year, day.month, day.day, 5), AutomationSettings())


# --- Ordering -----------------------------------------------------------------------------


def test_an_addon_is_invoiced_at_once_and_begins_when_that_is_paid(service):
    row = order_addon(
        service, make_addon(service.product, "5", setup_fee="2"), at=utc(2026, 11, 10)
    )

    assert (row.status, row.anchor_date, row.billed_until) == (
        "pending",
        date(2026, 11, 10),
        date(2026, 12, 10),
    )
    invoice = Invoice.objects.get()
    assert lines(invoice) == [
        ("setup", "2026-11-10", "2026-11-10", "2.00"),
        ("recurring", "2026-11-10", "2026-12-10", "5.00"),
    ]
    assert [line.description for line in invoice.lines.all()] == [
        "Snapshots for Mail (office): set-up",
        "Snapshots for Mail (office)",
    ]
    assert {line.addon_id for line in invoice.lines.all()} == {row.pk}

    pay(invoice, "7.00")
    row.refresh_from_db()

    assert row.status == "active"
    assert "Snapshots is now part of Mail - office" in mails()


def test_ordered_on_a_product_with_a_day_of_the_month_it_pays_up_to_that_day(service):
    service.product.prorata_day = 1
    service.product.save()

    row = order_addon(service, make_addon(service.product, "30"), at=utc(2026, 11, 10))

    # 21 of November's 30 days.
    assert lines(Invoice.objects.get()) == [("recurring", "2026-11-10", "2026-12-01", "21.00")]
    assert (row.anchor_date, row.billed_until) == (date(2026, 12, 1), date(2026, 12, 1))


def test_set_up_and_price_are_for_all_units(service):
    addon = make_addon(service.product, "1.25", setup_fee="0.50", maximum_quantity=10)

    order_addon(service, addon, quantity=4)

    assert [f"{line.amount:.2f}" for line in Invoice.objects.get().lines.all()] == ["2.00", "5.00"]


def test_one_that_costs_nothing_now_begins_at_once_without_an_invoice(service):
    row = order_addon(service, make_addon(service.product, "0"))

    assert (row.status, Invoice.objects.count()) == ("active", 0)


def test_a_form_sent_twice_is_one_addon(service):
    addon = make_addon(service.product, "5", maximum_quantity=3)

    first, second = order_addon(service, addon), order_addon(service, addon)

    assert first == second
    assert Invoice.objects.count() == 1


def test_the_preview_is_what_the_order_invoices_and_stores_nothing(service):
    addon = make_addon(service.product, "5", setup_fee="2", maximum_quantity=2)
    wanted = addon_orders.wish(service, addon_id=addon.pk, cycle="monthly", quantity=2)

    draft = addon_orders.preview(service, wanted, at=AT)

    assert (ServiceAddon.objects.count(), Invoice.objects.count()) == (0, 0)
    assert [(line.kind, line.amount) for line in draft.lines] == [
        (LineKind.SETUP, D("4.00")),
        (LineKind.RECURRING, D("10.00")),
    ]
    order_addon(service, addon, quantity=2)
    assert Invoice.objects.get().total == draft.total


@pytest.mark.parametrize(
    ("fields", "wish", "sentence"),
    [
        ({"retired": True}, {}, "This add-on is not offered with Mail in EUR."),
        ({"hidden": True}, {}, "This add-on is not offered with Mail in EUR."),
        ({"currency": "USD"}, {}, "This add-on is not offered with Mail in EUR."),
        ({}, {"cycle": "annual"}, "Snapshots is not offered with that billing cycle."),
        ({}, {"quantity": 0}, "You can have 1 to 1 of Snapshots, not 0."),
        ({"maximum_quantity": 5}, {"quantity": 6}, "You can have 1 to 5 of Snapshots, not 6."),
    ],
)
def test_what_is_not_offered_cannot_be_ordered(service, fields, wish, sentence):
    addon = make_addon(service.product, "5", **fields)

    with pytest.raises(AddonRefused) as refused:
        order_addon(service, addon, **wish)

    assert str(refused.value) == sentence
    assert (ServiceAddon.objects.count(), Invoice.objects.count()) == (0, 0)


def test_an_addon_for_another_product_cannot_be_ordered(service):
    with pytest.raises(AddonRefused, match=r"not offered with Mail"):
        order_addon(service, make_addon(make_product(), "5"))


def test_staff_also_add_what_is_hidden(service):
    order_addon(service, make_addon(service.product, "5", hidden=True), staff=True)

    assert ServiceAddon.objects.count() == 1


def test_no_more_units_than_allowed_also_in_several_orders(service):
    single = make_addon(service.product, "5")
    several = make_addon(service.product, "5", name="IP", maximum_quantity=3)
    order_addon(service, single)
    order_addon(service, several, quantity=2, key="k2")

    with pytest.raises(AddonRefused, match=r"^Mail - office already has Snapshots\.$"):
        order_addon(service, single, key="k3")
    with pytest.raises(AddonRefused, match=r"can have 3 of IP and already has 2\.$"):
        order_addon(service, several, quantity=2, key="k4")
    order_addon(service, several, quantity=1, key="k5")

    assert ServiceAddon.objects.count() == 3


def test_a_service_that_does_not_run_gets_no_addon(service):
    services.move(service.pk, to=ServiceStatus.TERMINATED, at=AT)

    with pytest.raises(AddonRefused, match=r"^Mail - office is terminated\.$"):
        order_addon(service, make_addon(service.product, "5"))


# --- Billing ------------------------------------------------------------------------------


def test_an_addon_renews_on_its_own_day_and_a_second_run_bills_nothing(service):
    row = ordered(service, at=utc(2026, 11, 10))
    service.billed_until = date(2027, 1, 1)
    service.save()

    report = bill_all(utc(2026, 12, 10, 3))

    assert [lines(invoice) for invoice in report.issued] == [
        [("recurring", "2026-12-10", "2027-01-10", "5.00")]
    ]
    assert report.issued[0].lines.get().addon_id == row.pk
    row.refresh_from_db()
    assert row.billed_until == date(2027, 1, 10)
    assert bill_all(utc(2026, 12, 10, 4)).issued == []


def test_an_addon_of_a_free_service_is_found_and_billed(service):
    ordered(service, at=utc(2026, 11, 10))
    service.recurring_amount = 0
    service.save()

    assert [f"{invoice.total:.2f}" for invoice in bill_all(utc(2026, 12, 10, 3)).issued] == ["5.00"]


def test_service_and_addon_due_together_share_an_invoice(service):
    ordered(service, at=utc(2026, 11, 1))

    (invoice,) = bill_client(service.client_id, utc(2026, 12, 1, 3))

    assert lines(invoice) == [
        ("recurring", "2026-12-01", "2027-01-01", "30.00"),
        ("recurring", "2026-12-01", "2027-01-01", "5.00"),
    ]


def test_a_pending_addon_is_not_renewed(service):
    ordered(service, paid=False, at=utc(2026, 11, 10))
    service.billed_until = date(2027, 2, 1)
    service.save()

    assert bill_all(utc(2026, 12, 20)).issued == []


def test_a_yearly_addon_keeps_its_own_cycle(service):
    addon = make_addon(service.product, "50", cycle="annual")
    row = order_addon(service, addon, cycle="annual", at=utc(2026, 11, 10))

    assert lines(Invoice.objects.get()) == [("recurring", "2026-11-10", "2027-11-10", "50.00")]
    assert row.billed_until == date(2027, 11, 10)


def test_a_one_time_addon_is_billed_once(service):
    addon = make_addon(service.product, "50", cycle="one_time")
    order_addon(service, addon, cycle="one_time", at=utc(2026, 11, 10))
    pay(Invoice.objects.get(), "50.00")
    service.billed_until = date(2028, 1, 1)
    service.save()

    assert bill_all(utc(2027, 11, 10)).issued == []
    assert ServiceAddon.objects.get().status == "active"


def test_lead_days_of_its_own_cycle_count(service):
    BillingSettings.objects.create(pk=1, lead_days=0, lead_days_by_cycle={"monthly": 7})
    ordered(service, at=utc(2026, 11, 10))
    service.billed_until = date(2027, 1, 1)
    service.save()

    assert bill_all(utc(2026, 12, 2)).issued == []
    assert len(bill_all(utc(2026, 12, 3)).issued) == 1


# --- Ending -------------------------------------------------------------------------------


def test_cancelled_it_stays_until_the_end_of_what_is_paid(service):
    row = ordered(service, at=utc(2026, 11, 10))
    service.billed_until = date(2027, 2, 1)
    service.save()

    addon_orders.cancel(row.pk, at=utc(2026, 11, 20), actor=None)

    row.refresh_from_db()
    assert (row.status, row.ends_on) == ("active", date(2026, 12, 10))
    assert "Snapshots of Mail - office ends on 2026-12-10" in mails()
    assert bill_all(utc(2026, 12, 10)).issued == []
    assert addon_orders.addons_to_end(on(date(2026, 12, 9))) == []
    assert addon_orders.addons_to_end(on(date(2026, 12, 10))) == [row.pk]


def test_on_its_last_day_it_ends_once(service):
    row = ordered(service, at=utc(2026, 11, 10))
    addon_orders.cancel(row.pk, at=utc(2026, 11, 20), actor=None)

    deed = addon_orders.end_due(row.pk, on(date(2026, 12, 10)))

    assert (deed.summary, deed.service_id) == (
        "Snapshots for Mail - office ended with its paid period",
        service.pk,
    )
    row.refresh_from_db()
    assert (row.status, row.ended_at) == ("cancelled", utc(2026, 12, 10, 5))
    assert addon_orders.end_due(row.pk, on(date(2026, 12, 10))) is None
    assert mails().count("Snapshots of Mail - office has ended") == 1


def test_a_cancelled_addon_can_be_kept_after_all(service):
    row = ordered(service, at=utc(2026, 11, 10))
    addon_orders.cancel(row.pk, at=utc(2026, 11, 20), actor=None)

    addons.keep(row.pk, at=utc(2026, 11, 21), actor=None)

    assert addon_orders.addons_to_end(on(date(2027, 1, 1))) == []
    assert [f"{i.total:.2f}" for i in bill_all(utc(2026, 12, 10)).issued] == ["35.00"]


def test_one_that_is_free_ends_at_once(service):
    row = order_addon(service, make_addon(service.product, "0"))

    addon_orders.cancel(row.pk, at=utc(2026, 11, 20), actor=None)

    row.refresh_from_db()
    assert (row.status, row.ended_at) == ("cancelled", utc(2026, 11, 20))


def test_one_never_paid_is_taken_back_with_its_invoice(service):
    row = ordered(service, paid=False)

    addon_orders.cancel(row.pk, at=utc(2026, 11, 20), actor=None)

    row.refresh_from_db()
    assert (row.status, Invoice.objects.get().status) == ("cancelled", InvoiceStatus.CANCELLED)


def test_an_addon_ends_with_its_service(service):
    active = ordered(service)
    pending = order_addon(service, make_addon(service.product, "1", name="IP"), key="k2")

    services.move(service.pk, to=ServiceStatus.TERMINATED, at=utc(2026, 11, 20))

    active.refresh_from_db()
    pending.refresh_from_db()
    assert (active.status, active.ended_at) == ("terminated", utc(2026, 11, 20))
    assert (pending.status, pending.ended_at) == ("cancelled", utc(2026, 11, 20))
    assert bill_all(utc(2027, 3, 1)).issued == []


def test_what_has_ended_cannot_be_cancelled_again(service):
    row = order_addon(service, make_addon(service.product, "0"))
    addon_orders.cancel(row.pk, at=utc(2026, 11, 20), actor=None)
    row.refresh_from_db()

    addon_orders.cancel(row.pk, at=utc(2026, 11, 21), actor=None)

    row.refresh_from_db()
    assert row.ended_at == utc(2026, 11, 20)


def test_its_history_is_that_of_its_service(service):
    row = ordered(service)
    addon_orders.cancel(row.pk, at=utc(2026, 11, 20), actor=make_user(name="Ann"))

    entries = Entry.objects.filter(subject_id=service.pk, action__startswith="addon")
    assert list(entries.order_by("pk").values_list("action", "actor_name", "client_ref")) == [
        ("addon.ordered", "system", service.client_id),
        ("addon.active", "system", service.client_id),
        ("addon.ends", "Ann", service.client_id),
    ]


def test_a_group_discount_is_on_its_periods(service):
    service.client.group = make_client_group(discount_percent="10")
    service.client.save()

    ordered_row = order_addon(service, make_addon(service.product, "5", setup_fee="2"))

    assert ordered_row.status == "pending"
    assert [f"{line.amount:.2f}" for line in Invoice.objects.get().lines.order_by("position")] == [
        "2.00",
        "5.00",
        "-0.50",
    ]
