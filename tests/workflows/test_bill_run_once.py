"""Billing happens once, all of it or nothing, and never mixes currencies."""

from datetime import date

import pytest

from billing_portal.clients.models import Client
from billing_portal.invoices import announcing
from billing_portal.invoices.models import Charge, Invoice, UsageWindow
from billing_portal.mail.models import ClientMail
from billing_portal.services.models import Service
from billing_portal.workflows import bill_run
from tests.factories import only, utc
from tests.workflows.billing import lines, make_metered, totals, window

pytestmark = pytest.mark.django_db

DUE = utc(2026, 11, 1, 2)


def bill(service, at=DUE):
    return only(bill_run.bill_client(service.client_id, at))


# --- Once ---------------------------------------------------------------------------------


def test_billing_twice_is_billing_once(vendor):
    service = make_metered(vendor)

    bill(service)

    assert bill(service) is None
    assert bill(service, utc(2026, 11, 30, 23)) is None
    assert totals() == [("INV-2026-00001", "34.96")]


def test_a_period_already_invoiced_is_left_out_though_its_day_was_lost(vendor):
    """`billed_until` says October again, but the line of November proves it was billed."""
    service = make_metered(vendor, owes="")
    bill(service)
    Service.objects.update(billed_until=date(2026, 11, 1))

    assert bill(service) is None


def test_nothing_stays_of_a_run_that_fails(vendor, monkeypatch):
    service = make_metered(vendor)

    def fail(*args, **kwargs):
        raise RuntimeError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(bill_run.issuing.invoices.audit, "record_all", fail)
        with pytest.raises(RuntimeError):
            bill(service)

    assert (Invoice.objects.count(), Charge.objects.count()) == (0, 0)
    assert (UsageWindow.objects.count(), Service.objects.get().billed_until) == (
        0,
        date(2026, 11, 1),
    )
    assert bill(service).number == "INV-2026-00001"


def test_numbers_have_no_gap_after_a_failure_in_between(vendor, monkeypatch):
    services = [make_metered(vendor) for _ in range(3)]
    audit = bill_run.issuing.invoices.audit
    real = audit.record_all

    def fail_for_the_second(entries):
        entries = list(entries)
        if services[1].client_id in [entry["client_ref"] for entry in entries]:
            raise RuntimeError("disk full")
        return real(entries)

    with monkeypatch.context() as patch:
        patch.setattr(audit, "record_all", fail_for_the_second)
        bill_run.bill_all(DUE)
    bill_run.bill_all(DUE)

    assert [(i.number, i.client_id) for i in Invoice.objects.order_by("number")] == [
        ("INV-2026-00001", services[0].client_id),
        ("INV-2026-00002", services[2].client_id),
        ("INV-2026-00003", services[1].client_id),
    ]


def test_a_run_that_dies_before_it_told_of_its_invoices_is_told_of_later(vendor, monkeypatch):
    service = make_metered(vendor)

    def die(**_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(bill_run.announcing, "announce_waiting", die)
        with pytest.raises(KeyboardInterrupt):
            bill(service)
    assert (Invoice.objects.count(), mailed()) == (1, [])

    assert announcing.announce_waiting(at=DUE) == 1
    assert mailed() == ["invoice_issued"]
    assert announcing.announce_waiting(at=DUE) == 0
    assert mailed() == ["invoice_issued"]


def mailed():
    return list(ClientMail.objects.values_list("template", flat=True))


# --- Late records, wrong currency ---------------------------------------------------------


def test_records_that_arrive_while_billing_make_it_start_over(vendor):
    service = make_metered(vendor)
    vendor.usage_moves = 2

    assert lines(bill(service))[1] == ("usage", "2026-10-01", "2026-11-01", "5.01")
    assert Charge.objects.count() == 1


def test_records_that_never_rest_leave_nothing_behind(vendor):
    service = make_metered(vendor)
    vendor.usage_moves = 3

    with pytest.raises(bill_run.UsageMoved):
        bill(service)

    assert (Charge.objects.count(), UsageWindow.objects.count()) == (0, 0)
    assert len(lines(bill(service))) == 2


def test_a_service_priced_in_another_currency_is_not_added_up(vendor):
    service = make_metered(vendor, owes="", currency="USD")

    with pytest.raises(bill_run.billed.CurrencyMixed, match="is priced in USD, not in EUR"):
        bill(service)

    assert not Invoice.objects.exists()


def test_a_charge_in_another_currency_is_not_added_up(vendor):
    service = make_metered(vendor, owes="")
    vendor.owes(service.pk, window(service), "5.01", currency="USD")

    with pytest.raises(bill_run.billed.CurrencyMixed, match="is charged in USD, not in EUR"):
        bill(service)

    assert (Invoice.objects.count(), Charge.objects.count()) == (0, 0)
    assert Client.objects.get().billing_problem == ""  # only a run parks
