"""What templates print with: amounts, days, state lights, icons and form fields."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django import forms, template
from django.forms.boundfield import BoundField

from billing_portal.clientarea import lights, printing
from billing_portal.clientarea.access import WORDS
from billing_portal.clients.models import Permission
from pbx import queries
from pbx.models import Call

register = template.Library()

CONTROL_CLASSES: list[tuple[type[forms.Widget], str]] = [
    (forms.RadioSelect, ""),
    (forms.CheckboxSelectMultiple, ""),
    (forms.CheckboxInput, "form-check-input"),
    (forms.Select, "form-select"),
    (forms.Widget, "form-control"),
]
"""The first match decides, so the special widgets stand before those they inherit from."""
ALLAUTH_LABELS = {"Email": "E-mail address"}


@register.filter
def money(amount: Decimal, currency: str) -> str:
    return printing.money(amount, currency)


@register.filter
def minus(amount: Decimal) -> Decimal:
    return -amount


@register.filter
def price(amount: Decimal, currency: str) -> str:
    return printing.price(amount, currency)


@register.filter
def call_cost(amount: Decimal, currency: str) -> str:
    return printing.call_cost(amount, currency)


@register.filter
def quantity(value: Decimal | int, places: int = 4) -> str:
    return printing.quantity(value, places=places)


@register.filter
def day(value: date | datetime) -> str:
    return printing.day(printing.local_day(value) if isinstance(value, datetime) else value)


@register.filter
def moment(value: datetime) -> str:
    return printing.moment(value)


@register.filter
def last_day(ends_at: datetime) -> str:
    """The last day that belongs to a period whose end is excluded."""
    return printing.last_day(ends_at)


@register.filter
def day_before(excluded: date) -> str:
    """The last day of a period given by its first day that no longer belongs to it."""
    return printing.day(excluded - timedelta(days=1))


@register.filter
def clock_time(value: datetime) -> str:
    return printing.clock_time(value)


@register.filter
def duration(seconds: int) -> str:
    return printing.duration(seconds)


@register.filter
def get(mapping: Mapping[str, str], key: str) -> str:
    """What a mapping has for a key that is itself a variable; the key if it has nothing."""
    return mapping.get(str(key), str(key))


@register.filter
def why(call: Call) -> str:
    """Why a call costs what it costs, in a sentence."""
    return queries.why(call)


@register.filter
def words(permission: Permission) -> str:
    """A permission as what it lets a person do: "place orders"."""
    return WORDS[permission]


@register.inclusion_tag("clientarea/parts/light.html")
def light(value: lights.Light) -> dict[str, Any]:
    return {"light": value}


@register.inclusion_tag("clientarea/parts/icon.html")
def icon(name: str) -> dict[str, Any]:
    return {"name": name}


@register.inclusion_tag("clientarea/parts/note.html")
def note(tone: str, text: str) -> dict[str, Any]:
    return {"tone": tone, "icon_name": lights.ICONS[tone], "text": text}


@register.inclusion_tag("clientarea/parts/fields.html")
def fields(form: forms.Form) -> dict[str, Any]:
    return {"form": form}


@register.inclusion_tag("clientarea/parts/field.html")
def field(bound: BoundField) -> dict[str, Any]:
    """A label, its help, the control and the error beside it; the first error gets the focus."""
    widget = bound.field.widget
    is_group = isinstance(widget, forms.RadioSelect | forms.CheckboxSelectMultiple)
    return {
        "field": bound,
        "label": _label(bound),
        "control": bound.as_widget(attrs=_attributes(bound)),
        "is_check": isinstance(widget, forms.CheckboxInput),
        "is_group": is_group,
        "is_hidden": bound.is_hidden,
        "is_optional": not bound.field.required and not is_group,
        "is_whole": is_group or isinstance(widget, forms.Textarea),
    }


def _label(bound: BoundField) -> str:
    """The label; those of allauth, which writes Every Word Like This, in sentence case."""
    label = str(bound.label)
    if not type(bound.form).__module__.startswith("allauth."):
        return label
    return ALLAUTH_LABELS.get(label, label.capitalize())


def _attributes(bound: BoundField) -> dict[str, Any]:
    attributes: dict[str, Any] = dict(bound.field.widget.attrs)
    control = next(name for kind, name in CONTROL_CLASSES if isinstance(bound.field.widget, kind))
    names = [attributes.get("class", ""), control, "is-invalid" if bound.errors else ""]
    attributes["class"] = " ".join(filter(None, names))
    described = [f"{bound.auto_id}_help" if bound.help_text else ""]
    if bound.errors:
        described.append(f"{bound.auto_id}_error")
        attributes["aria-invalid"] = "true"
    # Where the person is needed first; never stolen while everything is fine.
    attributes["autofocus"] = False
    # The label says it, and stays when something is typed.
    attributes["placeholder"] = False
    if bound.errors and next(iter(bound.form.errors)) == bound.name:
        attributes["autofocus"] = True
    if any(described):
        attributes["aria-describedby"] = " ".join(filter(None, described))
    return attributes
