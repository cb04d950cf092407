"""How clients are taxed, and what is known about their tax ids."""

from collections.abc import Collection
from datetime import date, datetime

from django.conf import settings
from django.db.models import Q

from billing_portal.calc.tax import TaxTreatment
from billing_portal.clients.models import Client, ClientStatus
from billing_portal.taxes.ids import example_of, read_vat_id
from billing_portal.taxes.models import TaxIdCheck, TaxRule, TaxSettings
from billing_portal.taxes.supply import (
    NO_ID,
    Buyer,
    Decision,
    IdStanding,
    IdState,
    PlaceTax,
    TaxLaw,
)

Answer = TaxIdCheck.Answer
_STATES = {
    Answer.VALID: IdState.VALID,
    Answer.INVALID: IdState.INVALID,
    Answer.UNAVAILABLE: IdState.UNAVAILABLE,
}


def treatments(clients: Collection[Client], *, on: date) -> dict[int, TaxTreatment]:
    """By client id: which taxes each pays on that day of the seller.

    At most three statements for any number of clients.
    """
    return {pk: found.treatment for pk, found in decisions(clients, on=on).items()}


def decisions(clients: Collection[Client], *, on: date) -> dict[int, Decision]:
    """By client id: how each is taxed on that day of the seller, and why."""
    law = law_of(on)
    asked = [c for c in clients if c.tax_id and law.asks_register_about(_country(c))]
    known = standings(asked)
    return {
        client.pk: law.decide(
            Buyer(
                country=_country(client),
                state=client.state,
                is_company=bool(client.company_name),
                is_exempt=client.tax_exempt,
                standing=known.get(client.pk, NO_ID),
            )
        )
        for client in clients
    }


def law_of(on: date) -> TaxLaw:
    """The settings, and the rules that hold on a day of the seller."""
    settings_row = tax_settings()
    if not settings_row.enabled:
        return TaxLaw(settings_row)
    began = Q(starts_on__isnull=True) | Q(starts_on__lte=on)
    lasts = Q(ends_on__isnull=True) | Q(ends_on__gt=on)
    rules = TaxRule.objects.filter(began, lasts).values_list(
        "level", "name", "country", "state", "percent", "compound"
    )
    return TaxLaw(settings_row, [PlaceTax(*rule) for rule in rules])


def tax_settings() -> TaxSettings:
    """The one row; the defaults, unsaved, before there is one."""
    return TaxSettings.objects.filter(pk=1).first() or TaxSettings(pk=1)


def standings(clients: Collection[Client]) -> dict[int, IdStanding]:
    """By client id: what is known about the tax id each has now.  One statement.

    The latest clear answer about this very id counts; the register being silent later
    does not take it back.
    """
    ids = {client.pk: read_vat_id(client.tax_id, _country(client)) for client in clients}
    wanted = {pk: str(found) for pk, found in ids.items() if found}
    answered: dict[int, TaxIdCheck] = {}
    if wanted:
        checks = TaxIdCheck.objects.filter(client_id__in=wanted).order_by("checked_at", "pk")
        for check in checks:
            if check.tax_id == wanted[check.client_id] and (
                check.answer != Answer.UNAVAILABLE or check.client_id not in answered
            ):
                answered[check.client_id] = check
    return {
        client.pk: _standing(client, wanted.get(client.pk), answered.get(client.pk))
        for client in clients
    }


def standing(client: Client) -> IdStanding:
    """What is known about the tax id a client has now."""
    return standings([client])[client.pk]


def complaint(tax_id: str, *, country: str) -> str:
    """Why a tax id cannot be taken as it is, in a sentence; empty if it can.

    Only ids from other member states are judged, and only under EU rules: elsewhere people
    may enter whatever number their tax office gave them.
    """
    if not tax_id.strip() or not asks_register_about(country):
        return ""
    if read_vat_id(tax_id, country):
        return ""
    return (
        f"This is not a VAT id of the country chosen; one looks like {example_of(country)}. "
        "Leave it empty if you have none."
    )


def tidy(tax_id: str, *, country: str) -> str:
    """A VAT id of another member state as the register writes it; anything else as it is."""
    vat_id = read_vat_id(tax_id, country) if asks_register_about(country) else None
    return str(vat_id or tax_id)


def asks_register_about(country: str) -> bool:
    """Whether a VAT id from there can change what is charged."""
    return TaxLaw(tax_settings()).asks_register_about(country)


def ids_to_ask(at: datetime) -> list[int]:
    """Clients whose VAT id the register was never asked about, or is to be asked again by `at`.

    None while no register is set up or the EU's rules are off.
    """
    row = tax_settings()
    if not (settings.VIES_URL and row.enabled and row.eu_vat):
        return []
    clients = Client.objects.exclude(tax_id="").exclude(status=ClientStatus.CLOSED)
    checks = TaxIdCheck.objects.filter(client__in=clients).order_by("checked_at", "pk")
    latest = {check.client_id: check for check in checks.iterator()}
    law = TaxLaw(row)
    return [
        client.pk
        for client in clients.only("pk", "tax_id", "country").order_by("pk").iterator()
        if law.asks_register_about(_country(client)) and _is_due(client, latest.get(client.pk), at)
    ]


def is_due(client: Client, *, at: datetime) -> bool:
    """Whether the register should be asked about the client's VAT id now."""
    return asks_register_about(_country(client)) and _is_due(client, latest_check(client), at)


def latest_check(client: Client) -> TaxIdCheck | None:
    """The last time the register was asked about the tax id a client has now."""
    vat_id = read_vat_id(client.tax_id, _country(client))
    return client.tax_id_checks.filter(tax_id=str(vat_id)).first() if vat_id else None


def _is_due(client: Client, last: TaxIdCheck | None, at: datetime) -> bool:
    vat_id = read_vat_id(client.tax_id, _country(client))
    if vat_id is None:
        return False
    if last is None or last.tax_id != str(vat_id):
        return True
    return last.next_check_at is not None and last.next_check_at <= at


def _standing(client: Client, vat_id: str | None, check: TaxIdCheck | None) -> IdStanding:
    if not client.tax_id.strip():
        return NO_ID
    if vat_id is None:
        return IdStanding(IdState.MALFORMED)
    if check is None:
        return IdStanding(IdState.UNCHECKED, vat_id)
    state = _STATES[Answer(check.answer)]
    return IdStanding(state, vat_id, check.checked_at, check.consultation)


def _country(client: Client) -> str:
    """The code as it is stored: the field's own object costs as much as all the rest here.

    A client that is loaded when it is first used has nothing stored yet.
    """
    return vars(client).get("country") or str(client.country)
