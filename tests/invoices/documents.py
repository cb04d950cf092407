"""Documents for the tests of e-invoices and paper, issued the way the portal issues them."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import count
from typing import Any

from billing_portal.calc.invoice import (
    ChargeItem,
    Discount,
    DraftInvoice,
    LineKind,
    RecurringItem,
    draft_invoice,
)
from billing_portal.calc.periods import Period
from billing_portal.calc.tax import NO_TAX, TaxCategory, TaxRate, TaxTreatment
from billing_portal.clients.models import Client
from billing_portal.invoices import actions
from billing_portal.invoices.models import CreditNote, CreditNoteLine, Invoice
from tests.factories import make_charge, make_client, make_product, make_service, utc

AT = utc(2026, 12, 1, 2)
DECEMBER = date(2026, 12, 1), date(2027, 1, 1)
NOVEMBER = Period(utc(2026, 11, 1), utc(2026, 12, 1))
VAT_19 = TaxTreatment((TaxRate("VAT", Decimal(19)),), category=TaxCategory.STANDARD)
REVERSE_CHARGE = TaxTreatment(
    category=TaxCategory.REVERSE_CHARGE,
    note="Reverse charge: the recipient of the service is liable for VAT.",
)
_numbers = count(1)


def make_business(**fields: Any) -> Client:
    """A company with a person, a VAT id and a buyer reference."""
    values: dict[str, Any] = {
        "company_name": "Acme Ltd",
        "tax_id": "DE123456789",
        "email": "books@acme.example",
        "buyer_reference": "04011000-12345-34",
    }
    return make_client(**values | fields)


def advance(client: Client, amount: str, **fields: Any) -> RecurringItem:
    """December of a service of its own, in advance."""
    values: dict[str, Any] = {
        "service_id": make_service(client).pk,
        "description": "Hosted PBX",
        "period_start": DECEMBER[0],
        "period_end": DECEMBER[1],
        "amount": Decimal(amount),
    }
    return RecurringItem(**values | fields)


def discount(amount: str) -> Discount:
    return Discount("Promotion SPRING", Decimal(amount))


def storage(client: Client, amount: str = "8.61", **fields: Any) -> ChargeItem:
    """November's storage: 861.111111 GB at 10.00 for 1,000 GB."""
    product = make_product(module_key="remote_backups", usage={"storage": "10"})
    service = make_service(client, product=product, spec={"size_gb": 1000}, usage={"storage": "10"})
    values: dict[str, Any] = {
        "amount": Decimal(amount),
        "quantity": Decimal("861.111111"),
        "unit": "GB",
        "unit_price": Decimal(10),
        "description": "Backup storage in November",
        "currency": client.currency,
    }
    row = make_charge(service, **values | fields)
    return item_of(row)


def item_of(charge: Any, **fields: Any) -> ChargeItem:
    values: dict[str, Any] = {
        "charge_id": charge.pk,
        "service_id": charge.service_id,
        "description": charge.description,
        "period": NOVEMBER,
        "quantity": charge.quantity,
        "unit": charge.unit,
        "unit_price": charge.unit_price,
        "amount": charge.amount,
        "kind": LineKind(charge.kind),
        "taxable": charge.taxable,
    }
    return ChargeItem(**values | fields)


def issued(
    client: Client,
    *,
    recurring: Sequence[RecurringItem] = (),
    charges: Sequence[ChargeItem] = (),
    treatment: TaxTreatment = NO_TAX,
) -> Invoice:
    """The invoice of these items, with all it stores."""
    draft = draft_invoice(
        currency=client.currency,
        recurring=recurring,
        charges=charges,
        billed=frozenset(),
        treatment=treatment,
        due_date=date(2026, 12, 15),
    )
    assert isinstance(draft, DraftInvoice)
    return Invoice.objects.get(pk=actions.issue(client, draft, at=AT).pk)


def credit_note(invoice: Invoice, *amounts: str, taxes: Sequence[Any] = (), tax: str = "0") -> Any:
    """A credit note with a line per amount; `tax` is on top of their sum."""
    net = sum((Decimal(amount) for amount in amounts), Decimal(0))
    note = CreditNote.objects.create(
        invoice=invoice,
        client=invoice.client,
        number=f"CN-2026-{next(_numbers):05d}",
        currency=invoice.currency,
        reason="Cancelled within the first week",
        issued_at=utc(2026, 12, 5),
        issue_date=date(2026, 12, 5),
        net_total=net,
        tax_total=Decimal(tax),
        total=net + Decimal(tax),
        taxes=list(taxes),
        tax_note=invoice.tax_note,
        seller=invoice.seller,
        buyer=invoice.buyer,
    )
    for position, amount in enumerate(amounts, start=1):
        CreditNoteLine.objects.create(
            credit_note=note,
            position=position,
            line=invoice.lines.first(),
            description=f"Hosted PBX, part {position}",
            amount=Decimal(amount),
        )
    return note
