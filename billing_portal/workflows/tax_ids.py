"""Having the register look at VAT ids: at once when one is entered, daily when one is due.

Nothing here waits for the register: a task asks it once the transaction stands.
"""

from datetime import datetime
from ipaddress import ip_address

from django.conf import settings

from billing_portal.automation.actions import Deed
from billing_portal.automation.queries import BusinessDay
from billing_portal.clients.models import Client
from billing_portal.taxes import queries as taxes
from billing_portal.taxes import tasks
from billing_portal.taxes.models import SignupPlace


def look_up(client: Client) -> None:
    """Have a client's VAT id, new or changed, looked up after the commit.

    An id whose answer still holds is not asked about again.
    """
    if settings.VIES_URL and client.tax_id:
        tasks.check_on_commit(client.pk)


def note_signup(client: Client, *, ip: str, country: str, at: datetime) -> None:
    """Keep from where a client signed up, once; this machine's own address says nothing.

    `country` is the two letters a proxy gives, or nothing.
    """
    if ip and not ip_address(ip).is_loopback:
        SignupPlace.objects.get_or_create(
            client=client, defaults={"ip": ip, "country": country[:2].upper(), "noted_at": at}
        )


def clients_to_ask(on: BusinessDay) -> list[int]:
    """Clients whose VAT id was never looked up, or is to be looked up again."""
    return taxes.ids_to_ask(on.at)


def ask(client_id: int, on: BusinessDay) -> Deed | None:
    """Have one looked up after the commit; None if somebody was quicker."""
    client = Client.objects.select_for_update(no_key=True).get(pk=client_id)
    if not taxes.is_due(client, at=on.at):
        return None
    tasks.check_on_commit(client.pk)
    return Deed(f"{client}: the register is asked about {taxes.standing(client).vat_id}")
