"""Seller and buyer as a document keeps them: frozen on the day of issue.

A snapshot is a flat dictionary of texts.  `address` is what is printed; the single parts
beside it are for e-invoices.  Snapshots of earlier versions have only the printed text,
and so may the seller's settings: the parts are then read out of it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings
from django_countries import countries

from billing_portal.clients.models import Client, ClientField

Snapshot = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Address:
    """An address in parts; `country` is a code of two letters, or empty if unknown."""

    street: tuple[str, ...]
    postcode: str
    city: str
    state: str
    country: str


@dataclass(frozen=True, slots=True)
class Account:
    """Where money is paid to; both empty if the seller named no IBAN."""

    iban: str
    bic: str


def seller() -> Snapshot:
    """The seller of today, from the settings; one call serves any number of documents."""
    return {
        "name": settings.SELLER_NAME,
        "address": _seller_text(),
        "street": settings.SELLER_STREET,
        "postcode": settings.SELLER_POSTCODE,
        "city": settings.SELLER_CITY,
        "state": settings.SELLER_STATE,
        "country": settings.SELLER_COUNTRY,
        "tax_id": settings.SELLER_TAX_ID,
        "registration_id": settings.SELLER_REGISTRATION_ID,
        "contact": settings.SELLER_CONTACT,
        "phone": settings.SELLER_PHONE,
        "email": settings.SELLER_EMAIL,
        "bank_account": settings.SELLER_BANK_ACCOUNT,
        "iban": settings.SELLER_IBAN,
        "bic": settings.SELLER_BIC,
        "currency": settings.DEFAULT_CURRENCY,
    }


def printed_fields() -> list[ClientField]:
    """The operator's own fields that stand on documents; one call serves all clients."""
    return list(ClientField.objects.filter(on_invoice=True))


def buyer(client: Client, fields: Iterable[ClientField] = ()) -> Snapshot:
    """The client of today, with its answers to `fields`.  Asks the database nothing."""
    person = f"{client.first_name} {client.last_name}".strip()
    code = str(client.country)
    street = "\n".join(filter(None, [client.address1, client.address2]))
    town = " ".join(filter(None, [client.postcode, client.city, client.state]))
    answers = [(field.label, _answer(client.custom_fields.get(field.key))) for field in fields]
    return {
        "name": client.company_name or person,
        "person": person if client.company_name else "",
        "address": f"{street}\n{town}\n{_country_name(code)}",
        "street": street,
        "postcode": client.postcode,
        "city": client.city,
        "state": client.state,
        "country": code,
        "tax_id": client.tax_id,
        "email": client.email,
        "reference": client.buyer_reference,
        "fields": [[label, answer] for label, answer in answers if answer],
    }


def address_of(snapshot: Mapping[str, Any]) -> Address:
    """The address of a snapshot in parts, read out of the printed text if need be."""
    if snapshot.get("city"):
        return Address(
            street=tuple(snapshot.get("street", "").splitlines()),
            postcode=snapshot.get("postcode", ""),
            city=snapshot["city"],
            state=snapshot.get("state", ""),
            country=snapshot.get("country", ""),
        )
    return _parts(snapshot.get("address", ""))


def account_of(snapshot: Mapping[str, Any]) -> Account:
    """The seller's account, read out of the printed text if it is not given in parts."""
    text = snapshot.get("bank_account", "")
    iban = snapshot.get("iban") or _first(r"\b([A-Z]{2}\d\d(?: ?[A-Z0-9]){10,30})\b", text)
    bic = snapshot.get("bic") or _first(r"BIC:? *([A-Z0-9]{8}(?:[A-Z0-9]{3})?)\b", text)
    return Account("".join(iban.split()), bic)


def bank_text(snapshot: Mapping[str, Any]) -> str:
    """The account as it is printed: the seller's own words, or IBAN and BIC."""
    if not snapshot.get("iban"):
        return str(snapshot.get("bank_account", ""))
    iban = "".join(snapshot["iban"].split())
    grouped = " ".join(iban[start : start + 4] for start in range(0, len(iban), 4))
    return ", ".join(filter(None, [f"IBAN {grouped}", snapshot.get("bic") and _bic(snapshot)]))


def footer(seller: Mapping[str, Any]) -> str:
    """The seller on one line, for the foot of a page."""
    parts = [seller["name"], *seller["address"].splitlines(), seller.get("phone", "")]
    parts.append(seller.get("email", ""))
    return ", ".join(filter(None, parts))


def _bic(snapshot: Mapping[str, Any]) -> str:
    return f"BIC {snapshot['bic']}"


def _seller_text() -> str:
    """The address as printed: put together from its parts where they are set."""
    if not settings.SELLER_CITY:
        return str(settings.SELLER_ADDRESS)
    town = " ".join(filter(None, [settings.SELLER_POSTCODE, settings.SELLER_CITY]))
    lines = [settings.SELLER_STREET, town, settings.SELLER_STATE]
    return "\n".join(filter(None, [*lines, _country_name(settings.SELLER_COUNTRY)]))


@lru_cache(maxsize=512)
def _country_name(code: str) -> str:
    return str(countries.name(code))


@lru_cache(maxsize=64)
def _parts(text: str) -> Address:
    """Street lines, then the town, then perhaps the country's English name.

    "12 Harbour Street\\n20457 Hamburg\\nGermany" -> ("12 Harbour Street",), "20457",
    "Hamburg", "", "DE"
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    country = countries.by_name(lines[-1], language="en") if lines else ""
    if country:
        lines = lines[:-1]
    town = lines.pop() if lines else ""
    found = re.match(r"((?:[A-Z]{1,2}-?)?\d\S*) +(.+)", town)
    postcode, city = found.groups() if found else ("", town)
    return Address(tuple(lines), postcode, city, "", country)


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1] if found else ""


def _answer(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return str(value or "").strip()
