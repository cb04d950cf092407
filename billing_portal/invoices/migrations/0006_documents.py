"""The day of a series' last number, and PostgreSQL's own refusal to change what was issued."""

from django.db import migrations, models

FIXED = (
    "number, client_id, currency, exchange_rate, issued_at, issue_date, due_date, net_total,"
    " tax_total, total, taxes, tax_note, notes, seller, buyer, proforma_number"
)
FIXED_OF_LINE = (
    "invoice_id, position, kind, service_id, addon_id, description, period_start, period_end,"
    " quantity, unit, unit_price, amount, taxable, tax_amount"
)


def _row(row, columns):
    return ", ".join(f"{row}.{column.strip()}" for column in columns.split(","))


FUNCTIONS = f"""
CREATE FUNCTION keep_issued_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'draft' THEN
        RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_OP = 'DELETE' OR NOT OLD.is_proforma AND
            ({_row("OLD", FIXED)}) IS DISTINCT FROM ({_row("NEW", FIXED)}) THEN
        RAISE EXCEPTION 'invoice % was issued and never changes', OLD.number
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION keep_issued_line() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE invoice RECORD;
BEGIN
    IF TG_OP = 'UPDATE' AND
            ({_row("OLD", FIXED_OF_LINE)}) IS NOT DISTINCT FROM ({_row("NEW", FIXED_OF_LINE)}) THEN
        RETURN NEW;
    END IF;
    SELECT status, is_proforma, number INTO invoice
        FROM invoices_invoice WHERE id = OLD.invoice_id;
    IF invoice.status <> 'draft' AND (TG_OP = 'DELETE' OR NOT invoice.is_proforma) THEN
        RAISE EXCEPTION 'invoice % was issued and its lines never change', invoice.number
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;

CREATE TRIGGER keep_issued_invoice BEFORE UPDATE OR DELETE ON invoices_invoice
    FOR EACH ROW EXECUTE FUNCTION keep_issued_invoice();
CREATE TRIGGER keep_issued_line BEFORE UPDATE OR DELETE ON invoices_invoiceline
    FOR EACH ROW EXECUTE FUNCTION keep_issued_line();
"""
NO_FUNCTIONS = """
DROP TRIGGER keep_issued_invoice ON invoices_invoice;
DROP TRIGGER keep_issued_line ON invoices_invoiceline;
DROP FUNCTION keep_issued_invoice();
DROP FUNCTION keep_issued_line();
"""


def _on_postgres(sql):
    def run(apps, schema_editor):
        if schema_editor.connection.vendor == "postgresql":
            # Without parameters, so that the percent signs stay.
            with schema_editor.connection.cursor() as cursor:
                cursor.execute(sql)

    return run


def fill_last_date(apps, schema_editor):
    invoices = apps.get_model("invoices", "Invoice").objects
    for series in apps.get_model("invoices", "NumberSeries").objects.all():
        numbered = invoices.filter(number__startswith=f"{series.prefix}-{series.year}-")
        series.last_date = numbered.aggregate(last=models.Max("issue_date"))["last"]
        series.save(update_fields=["last_date"])


class Migration(migrations.Migration):

    dependencies = [
        ("invoices", "0005_money"),
    ]

    operations = [
        migrations.AddField(
            model_name="numberseries",
            name="last_date",
            field=models.DateField(
                blank=True,
                help_text="Of the last number; no later number has an earlier day.",
                null=True,
            ),
        ),
        migrations.RunPython(fill_last_date, migrations.RunPython.noop),
        migrations.RunPython(_on_postgres(FUNCTIONS), _on_postgres(NO_FUNCTIONS)),
    ]
