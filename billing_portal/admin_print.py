"""How the dashboard prints states, moments, amounts and fields.  Imports nothing of ours.

Apart from `admin_frame`, because template tags use it: Unfold's admin module loads all
template tags while it is itself being imported.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from babel.numbers import format_currency
from django import forms
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from post_office.models import STATUS, Email
from unfold.widgets import INPUT_CLASSES, SELECT_CLASSES, SWITCH_CLASSES, TEXTAREA_CLASSES

LIGHTS: Mapping[str, tuple[str, str]] = {
    "active": ("green", "check_circle"),
    "done": ("green", "check_circle"),
    "paid": ("green", "check_circle"),
    "sent": ("green", "check_circle"),
    "ok": ("green", "check_circle"),
    "pending": ("amber", "schedule"),
    "queued": ("amber", "schedule"),
    "waiting": ("amber", "schedule"),
    "requeued": ("amber", "schedule"),
    "running": ("blue", "sync"),
    "placed": ("blue", "receipt_long"),
    "delivered": ("blue", "outgoing_mail"),
    "accepted": ("green", "check_circle"),
    "on_hold": ("amber", "pause_circle"),
    "unpaid": ("blue", "receipt_long"),
    "overdue": ("red", "error"),
    "suspended": ("orange", "pause_circle"),
    "paused": ("orange", "pause_circle"),
    "failed": ("red", "error"),
    "fraud": ("red", "gpp_bad"),
    "unrated": ("red", "error"),
}
"""State -> colour and icon.  States not listed are over: grey."""
_OVER = ("grey", "radio_button_unchecked")


def light(state: str, word: str) -> SafeString:
    """A state as colour, icon and word, so that no reader depends on one of them."""
    colour, icon = LIGHTS.get(state, _OVER)
    return format_html(
        '<span class="light light-{}"><span class="material-symbols-outlined" aria-hidden="true">'
        "{}</span>{}</span>",
        colour,
        icon,
        word,
    )


def badge(text: str, colour: str) -> SafeString:
    """A name with a dot in a colour staff gave it; the name says it all without the dot."""
    return format_html(
        '<span class="badge"><span class="badge-dot" style="background:{}" aria-hidden="true">'
        "</span>{}</span>",
        colour,
        text,
    )


def amount(text: str) -> SafeString:
    """A number that lines up with the numbers above and below it."""
    return format_html('<span class="amount">{}</span>', text)


def money(value: Decimal, currency: str) -> str:
    """An amount with its currency and all minor units, as the pages above write it: "€8.61"."""
    return format_currency(value, currency, locale="en").replace("-", "\N{MINUS SIGN}")


def moment(value: datetime | None) -> str:
    """A day and time with its zone: "Nov 20, 2026, 15:00 UTC"; a dash for never."""
    return date_format(localtime(value), "M j, Y, H:i T") if value else "-"


def day(value: date | None) -> str:
    """A calendar day: "Nov 20, 2026"; a dash for none."""
    return date_format(value, "M j, Y") if value else "-"


def dress(fields: Iterable[forms.Field]) -> None:
    """Give form fields from elsewhere the look of the dashboard's own."""
    for field in fields:
        for kind, classes in _CLASSES:
            if isinstance(field.widget, kind):
                field.widget.attrs["class"] = " ".join(classes)
                if kind is forms.Select:
                    field.widget.template_name = "unfold/widgets/select.html"
                break


_CLASSES: list[tuple[Any, list[str]]] = [
    ((forms.CheckboxSelectMultiple, forms.RadioSelect), []),
    (forms.CheckboxInput, SWITCH_CLASSES),
    (forms.Select, SELECT_CLASSES),
    (forms.Textarea, TEXTAREA_CLASSES),
    (forms.Widget, INPUT_CLASSES),
]
"""The first match decides."""


_MAIL_STATES = {
    STATUS.sent: ("sent", "Sent"),
    STATUS.failed: ("failed", "Failed"),
    STATUS.queued: ("queued", "Waiting"),
    STATUS.requeued: ("requeued", "Trying again"),
}


def mail_light(email: Email) -> str:
    """Whether a mail went out."""
    return light(*_MAIL_STATES.get(email.status, ("queued", "Waiting")))
