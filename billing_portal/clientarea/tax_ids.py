"""A client's VAT id as the account page shows it, and where a new client came from."""

from dataclasses import dataclass
from datetime import datetime

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.http import HttpRequest

from billing_portal.clientarea.lights import Light
from billing_portal.clients.models import Client
from billing_portal.taxes import queries as taxes
from billing_portal.taxes.supply import IdState
from billing_portal.workflows import tax_ids


@dataclass(frozen=True, slots=True)
class TaxIdState:
    """What is known about the id, and what that means for the next invoice."""

    light: Light
    vat_id: str
    says: str
    checked_at: datetime | None = None


_CHARGED = "Once it is confirmed your invoices carry no VAT; until then they include it."
_STATES = {
    IdState.MALFORMED: (
        Light("failed", "Not a VAT id"),
        "This is not a VAT id of your country, so your invoices include VAT. Please correct it.",
    ),
    IdState.UNCHECKED: (Light("waiting", "Not checked yet"), _CHARGED),
    IdState.UNAVAILABLE: (
        Light("waiting", "Not confirmed yet"),
        f"The EU's register did not answer; it is asked again every day. {_CHARGED}",
    ),
    IdState.INVALID: (
        Light("failed", "Not valid"),
        "The EU's register does not know this VAT id, so your invoices include VAT. "
        "Please check it.",
    ),
    IdState.VALID: (
        Light("active", "Valid"),
        "Your invoices carry no VAT: you account for it yourself (reverse charge).",
    ),
}


def tax_id_state(client: Client) -> TaxIdState | None:
    """None where the state of the id changes nothing: at home, outside the EU, without one."""
    if client.tax_exempt or not client.tax_id.strip():
        return None
    if not taxes.asks_register_about(str(client.country)):
        return None
    standing = taxes.standing(client)
    light, says = _STATES[standing.state]
    return TaxIdState(light, standing.vat_id or client.tax_id, says, standing.checked_at)


def note_arrival(request: HttpRequest, client: Client, *, at: datetime) -> None:
    """Have a new client's VAT id looked up, and keep where the request came from."""
    tax_ids.look_up(client)
    header = settings.IP_COUNTRY_HEADER
    country = request.headers.get(header, "") if header else ""
    ip = get_adapter().get_client_ip(request) or ""
    tax_ids.note_signup(client, ip=ip, country=country, at=at)
