from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("services", "0006_extras"),
    ]

    operations = [
        migrations.AddField(
            model_name="cancellation",
            name="suspension_cause",
            field=models.CharField(
                blank=True,
                choices=[("overdue", "Overdue invoice"), ("staff", "Staff"), ("other", "Other")],
                help_text=(
                    "How the service was suspended when it ended, so that it comes back as it was."
                ),
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="cancellation",
            name="suspension_reason",
            field=models.CharField(blank=True, max_length=200),
        ),
    ]
