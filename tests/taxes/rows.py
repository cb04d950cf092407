"""Tax rows for tests in few words."""

from decimal import Decimal
from typing import Any

from billing_portal.clients.models import Client
from billing_portal.taxes.models import TaxIdCheck, TaxRule, TaxSettings
from tests.factories import AT


def make_tax_settings(**fields: Any) -> TaxSettings:
    """Tax is on, for a seller in Germany; without EU rules unless asked for."""
    row, _ = TaxSettings.objects.update_or_create(pk=1, defaults={"enabled": True} | fields)
    return row


def make_tax_rule(name: str, percent: str, **fields: Any) -> TaxRule:
    """A tax of every place unless `fields` name one."""
    return TaxRule.objects.create(name=name, percent=Decimal(percent), **fields)


def make_tax_id_check(client: Client, answer: str, **fields: Any) -> TaxIdCheck:
    """What the register said about the client's tax id at `AT`."""
    values: dict[str, Any] = {"tax_id": client.tax_id, "checked_at": AT}
    return TaxIdCheck.objects.create(client=client, answer=answer, **values | fields)
