"""What every template may use.  Everything that costs a query is read only when printed."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from billing_portal.clients.models import Permission
from billing_portal.clock import reading

SECTIONS = {
    "home": "home",
    "services": "services",
    "service": "services",
    "calls": "services",
    "resize": "services",
    "change": "services",
    "cancel": "services",
    "reveal": "services",
    "invoices": "invoices",
    "invoice": "invoices",
    "pay": "invoices",
    "catalogue": "order",
    "product": "order",
    "checkout": "order",
    "order": "order",
    "profile": "profile",
    "contacts": "contacts",
    "contact": "contacts",
    "new_contact": "contacts",
    "team": "team",
    "payments": "payments",
    "methods": "methods",
    "remove_method": "methods",
    "quotes": "quotes",
    "quote": "quotes",
    "mails": "mails",
    "mail": "mails",
}
"""Which entry of the menu a page belongs to, by the name of its address."""

NOTICEABLE = timedelta(minutes=1)


def portal(request: HttpRequest) -> dict[str, Any]:
    match = getattr(request, "resolver_match", None)
    return {
        "seller_name": settings.SELLER_NAME,
        "seller_email": settings.SELLER_EMAIL,
        "seller_timezone": settings.SELLER_TIMEZONE,
        "acting_client": getattr(request, "acting_client", None),
        "memberships": getattr(request, "memberships", []),
        "allows": SimpleLazyObject(lambda: _allowed(request)),
        "section": SECTIONS.get(match.url_name or "") if match else None,
        "simulated_at": SimpleLazyObject(_simulated_at),
    }


def _allowed(request: Any) -> dict[str, bool]:
    """Permission key -> whether the user has it for the client acted for."""
    client = getattr(request, "acting_client", None)
    client_id = client.pk if client else None
    memberships = getattr(request, "memberships", [])
    own = [membership for membership in memberships if membership.client_id == client_id]
    return {p.value: any(membership.allows(p) for membership in own) for p in Permission}


def _simulated_at() -> datetime | None:
    """The portal's now if it visibly differs from the real one, else None."""
    if not settings.SIMULATION or abs(reading.offset()) < NOTICEABLE:
        return None
    return reading.now()
