"""What a product family adds to a service's page: datastore sizes, or a PBX with its calls.

The only place of the dashboard that knows modules by name.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from backups import queries as backups
from billing_portal.calc.periods import Period
from billing_portal.services.models import Service
from pbx import queries as pbx

SHOWN_DAYS = 60
LATEST_CALLS = 15


def panel(service: Service, at: datetime) -> dict[str, Any]:
    """The template of the family's panel and what it shows; nothing for other modules."""
    make = _PANELS.get(service.product.module_key)
    return make(service, at) if make else {}


def _datastore(service: Service, at: datetime) -> dict[str, Any]:
    datastore = backups.datastore_of(service.pk)
    period = Period(at - timedelta(days=SHOWN_DAYS), at)
    steps = backups.size_steps(service.pk, period) if datastore else []
    return {
        "family": "staff/parts/datastore.html",
        "datastore": datastore,
        "steps": list(reversed(steps)),
        "gaps": backups.recording_gaps(service.pk, period) if datastore else [],
        "sizes": _size_line(steps),
        "shown_days": SHOWN_DAYS,
    }


def _size_line(steps: list[backups.SizeStep]) -> dict[str, Any]:
    """The steps as points of a step line: each size at its start, the last also at its end."""
    points = [(step.starts_at, step.size_gb) for step in steps]
    if steps:
        points.append((steps[-1].ends_at, steps[-1].size_gb))
    return {
        "type": "line",
        "stepped": True,
        "unit": "GB",
        "times": [int(at.timestamp()) * 1000 for at, _ in points],
        "series": [{"name": "Provisioned", "values": [str(size) for _, size in points]}],
    }


def _tenant(service: Service, at: datetime) -> dict[str, Any]:
    period = Period(at - timedelta(days=30), at)
    return {
        "family": "staff/parts/tenant.html",
        "extensions": pbx.extensions(service.pk),
        "calls": pbx.call_page(service.pk, limit=LATEST_CALLS).calls,
        "totals": pbx.call_totals(service.pk, period=period),
    }


_PANELS: Mapping[str, Callable[[Service, datetime], dict[str, Any]]] = {
    "remote_backups": _datastore,
    "fusionpbx": _tenant,
}
