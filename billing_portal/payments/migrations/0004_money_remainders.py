"""What payments brought beyond their invoices becomes the clients' credit."""

from decimal import Decimal

from django.db import migrations
from django.db.models import Sum


def make_credit(apps, schema_editor):
    Transaction = apps.get_model("payments", "Transaction")
    CreditEntry = apps.get_model("payments", "CreditEntry")
    Client = apps.get_model("clients", "Client")
    paid = Transaction.objects.annotate(used=Sum("allocations__amount"))
    for payment in paid.select_related("client").order_by("pk").iterator():
        rest = payment.amount - (payment.used or Decimal(0)).quantize(Decimal("0.001"))
        key = f"payment:{payment.pk}"
        if rest <= 0 or payment.currency != payment.client.currency:
            continue
        if CreditEntry.objects.filter(key=key).exists():
            continue
        CreditEntry.objects.create(
            client_id=payment.client_id,
            key=key,
            kind="overpayment",
            amount=rest,
            currency=payment.currency,
            description=f"Paid too much, {payment.external_id}"[:200],
            transaction=payment,
            made_at=payment.received_at,
        )
        client = Client.objects.get(pk=payment.client_id)
        Client.objects.filter(pk=client.pk).update(credit_balance=client.credit_balance + rest)


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0003_money"),
        ("clients", "0003_billing_engine"),
    ]

    operations = [migrations.RunPython(make_credit, migrations.RunPython.noop)]
