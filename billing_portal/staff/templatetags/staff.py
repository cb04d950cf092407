"""What the dashboard's templates print with: amounts, moments, state lights and fields."""

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from babel.dates import format_timedelta
from django import forms, template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing_portal import admin_print
from billing_portal.invoices.amounts import format_amount, format_price, format_quantity
from billing_portal.invoices.evidence import (
    Explanation,
    explain,
    quantity_text,
    unit_price_text,
)
from billing_portal.invoices.models import Charge, Invoice, InvoiceLine
from billing_portal.invoices.tax_words import tax_rows
from billing_portal.payments.models import CaptureAttempt, StoredMethod
from billing_portal.payments.registry import gateways
from billing_portal.quotes.models import Quote
from billing_portal.quotes.queries import is_expired
from billing_portal.services.models import Service
from billing_portal.taxes.supply import plain_percent
from provisioning.models import Job

register = template.Library()


@register.filter
def money(amount: Decimal | None, currency: str) -> str:
    return "-" if amount is None else format_amount(amount, currency)


@register.filter
def price(amount: Decimal, currency: str) -> str:
    """A unit price with every decimal it has."""
    return format_price(amount, currency)


@register.filter
def percent(value: Decimal) -> str:
    """19 % for 19.0000."""
    return f"{plain_percent(value)} %"


@register.filter
def quantity(value: Decimal | int) -> str:
    """A number with thousands separated and no zeros at its end: 1,000 or 861.111111."""
    return format_quantity(value, places=6)


@register.filter
def talked(seconds: int) -> str:
    """Hours, minutes and seconds: "1:02:05"."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


@register.filter
def label(name: str) -> str:
    """A key as words: "used_bytes" is "Used bytes"."""
    return str(name).replace("_", " ").capitalize()


@register.filter
def tax_lines(document: Invoice | Quote) -> list[tuple[str, str]]:
    """Each tax of a document in words, with its amount."""
    return tax_rows(document.taxes, document.currency)


@register.filter
def gateway_name(key: str) -> str:
    """What a way to pay is called, also one that is no longer offered."""
    return next((g.name for g in gateways() if g.key == key), label(key))


@register.filter
def plain(value: Any) -> str:
    """A value of JSON as a person writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None or value == "" else str(value)


@register.filter
def is_nested(value: Any) -> bool:
    """Whether a value of JSON holds more values."""
    return isinstance(value, dict | list)


@register.filter
def when(value: date) -> str:
    """A day or a moment, whichever it is."""
    return admin_print.moment(value) if isinstance(value, datetime) else admin_print.day(value)


@register.filter
def unit_price(line: InvoiceLine, currency: str) -> str:
    return unit_price_text(line, currency)


@register.filter
def line_quantity(line: InvoiceLine) -> str:
    return quantity_text(line)


@register.filter
def explained(charge: Charge) -> Explanation | None:
    """What a charge follows from, as a table."""
    return explain(charge)


@register.filter
def invoice(charge: Charge) -> Invoice | None:
    """The invoice a charge is on, if it is on one."""
    line = getattr(charge, "line", None)
    return line.invoice if line else None


@register.filter
def day(value: date | None) -> str:
    return admin_print.day(value)


@register.filter
def moment(value: datetime | None) -> str:
    return admin_print.moment(value)


@register.filter
def ago(value: datetime | None, at: datetime) -> str:
    """How far `value` is from `at`, beside the moment itself: "in 5 minutes", "2 days ago"."""
    if value is None:
        return "never"
    return format_timedelta(value - at, add_direction=True, locale="en")


@register.filter
def took(job: Job) -> str:
    """How long the last try of a job lasted."""
    if not job.started_at or not job.finished_at or job.finished_at < job.started_at:
        return "-"
    return format_timedelta(
        max(job.finished_at - job.started_at, timedelta(seconds=1)), locale="en", format="short"
    )


@register.simple_tag
def light(state: str, word: str) -> SafeString:
    return admin_print.light(state, word)


@register.filter
def service_light(service: Service) -> SafeString:
    return admin_print.light(service.status, service.get_status_display())


@register.filter
def job_light(job: Job) -> SafeString:
    return admin_print.light(job.status, job.get_status_display())


@register.filter
def quote_light(quote: Quote, today: date) -> SafeString:
    if is_expired(quote, today):
        return admin_print.light("expired", "Expired")
    return admin_print.light(quote.stage, quote.get_stage_display())


@register.filter
def invoice_light(invoice: Invoice, today: date) -> SafeString:
    if invoice.is_payable and invoice.due_date < today:
        return admin_print.light("overdue", "Overdue")
    return admin_print.light(invoice.status, invoice.get_status_display())


@register.filter
def capture_light(attempt: CaptureAttempt) -> SafeString:
    """How a try to take an invoice stands."""
    state = {"declined": "failed", "under_way": "running", "pending": "waiting"}
    word = attempt.get_outcome_display()
    return admin_print.light(state.get(attempt.outcome, attempt.outcome), word)


@register.filter
def method_light(method: StoredMethod) -> SafeString:
    if method.status == StoredMethod.Status.ACTIVE and method.is_default:
        return admin_print.light("active", "Default")
    state = {"refused": "failed", "removed": "ended"}.get(method.status, method.status)
    return admin_print.light(state, method.get_status_display())


register.filter("mail_light", admin_print.mail_light)


@register.filter
def code(value: Any) -> SafeString:
    """JSON or text from a vendor, as it came."""
    shown = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return format_html('<pre class="code">{}</pre>', shown)


@register.filter
def dressed(form: forms.BaseForm) -> forms.BaseForm:
    """The form with the look of the dashboard's own."""
    admin_print.dress(form.fields.values())
    return form
