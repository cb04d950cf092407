from django.db import migrations, models
from django.db.models import F


def note_past_mails(apps, schema_editor):
    """Until now every invoice was told of when it was issued."""
    apps.get_model("invoices", "Invoice").objects.update(announced_at=F("issued_at"))


class Migration(migrations.Migration):
    dependencies = [("invoices", "0006_documents")]

    operations = [
        migrations.AddField(
            model_name="invoice",
            name="announced_at",
            field=models.DateTimeField(
                blank=True, editable=False, help_text="When its mail was queued.", null=True
            ),
        ),
        migrations.RunPython(note_past_mails, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(("announced_at__isnull", True)),
                fields=["id"],
                name="invoices_to_tell_of",
            ),
        ),
    ]
