"""Changing when and how invoices are made."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.invoices.models import BillingSettings
from billing_portal.invoices.queries import billing_rules


def set_rules(values: Mapping[str, Any], *, at: datetime, actor: User | None) -> BillingSettings:
    """Set the named rules and note what each was before; the same values change nothing.

    What is issued already keeps its dates.
    """
    with transaction.atomic():
        BillingSettings.objects.select_for_update(no_key=True).filter(pk=1).first()
        rules = billing_rules()
        changes = {
            name: (getattr(rules, name), value)
            for name, value in values.items()
            if getattr(rules, name) != value
        }
        if not changes:
            return rules
        for name, (_, value) in changes.items():
            setattr(rules, name, value)
        rules.save()
        audit.record(
            "billing_settings.changed",
            rules,
            summary="Billing settings: " + "; ".join(_told(rules, changes)),
            at=at,
            actor=actor,
            details={name: {"before": a, "after": b} for name, (a, b) in changes.items()},
        )
        return rules


def _told(rules: BillingSettings, changes: Mapping[str, tuple[Any, Any]]) -> list[str]:
    """Each change in words: lead days from 0 to 14."""
    names = {field.name: field.verbose_name for field in rules._meta.fields}
    return [f"{names[name]} from {_plain(a)} to {_plain(b)}" for name, (a, b) in changes.items()]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {days}" for key, days in sorted(value.items())) or "none"
    return str(value)
