"""Existing charges learn their client, and existing invoices that no tax was charged."""

from django.db import migrations
from django.db.models import F, OuterRef, Subquery


def fill(apps, schema_editor):
    charge = apps.get_model("invoices", "Charge")
    service = apps.get_model("services", "Service")
    owner = service.objects.filter(pk=OuterRef("service_id")).values("client_id")
    charge.objects.filter(client__isnull=True).update(client_id=Subquery(owner))
    apps.get_model("invoices", "Invoice").objects.update(net_total=F("total"))


class Migration(migrations.Migration):
    dependencies = [("invoices", "0002_billing_engine")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
