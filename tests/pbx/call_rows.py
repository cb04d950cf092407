"""Rows of calls for tests, as an import would have left them."""

from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

from billing_portal.services.models import Service
from pbx.models import Call
from provisioning.models import Server
from tests.factories import AT
from tests.pbx.requests import NOON

_numbers = count(1)


def make_call(server: Server, service: Service | None, *, minutes: int = 0, **fields: Any) -> Call:
    """A rated call to Hamburg that began so many minutes after noon: 66 s billed, 0.011."""
    started_at = NOON + timedelta(minutes=minutes)
    values: dict[str, Any] = {
        "uuid": UUID(int=next(_numbers)),
        "extension_number": "1001",
        "direction": "outbound",
        "leg": "a",
        "caller": "1001",
        "destination": "4940123456",
        "destination_digits": "4940123456",
        "started_at": started_at,
        "answered_at": started_at,
        "ended_at": started_at + timedelta(seconds=61),
        "billsec": 61,
        "hangup_cause": "NORMAL_CLEARING",
        "rating": "rated",
        "prefix": "4940",
        "rate_description": "Hamburg",
        "billed_s": 66,
        "amount_micros": 11000,
        "explanation": {"rule": "prefix"},
        "imported_at": AT,
    }
    return Call.objects.create(server=server, service=service, **values | fields)


def make_unrated(server: Server, service: Service | None, **fields: Any) -> Call:
    """A call nobody had a price for when it came."""
    unknown = {
        "rating": "unrated",
        "prefix": "",
        "rate_description": "",
        "billed_s": 0,
        "amount_micros": None,
        "explanation": {"rule": "no_prefix", "tariff": "standard"},
    }
    return make_call(server, service, **unknown | fields)


def make_free(server: Server, service: Service | None, **fields: Any) -> Call:
    """An inbound call of a minute and a second."""
    free = {
        "direction": "inbound",
        "caller": "33123456789",
        "destination": "1001",
        "rating": "free",
        "prefix": "",
        "rate_description": "",
        "billed_s": 0,
        "amount_micros": 0,
        "explanation": {"rule": "not_outbound"},
    }
    return make_call(server, service, **free | fields)
