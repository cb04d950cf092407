"""Asking the EU's register of VAT ids (VIES), over its JSON interface.

The register of each member state answers for itself and is often away, so "no answer" is
an answer of its own.  `VIES_URL` empty means that nobody is asked.

Source: the Commission's VIES REST service, `check-vat-number`.
"""

from dataclasses import dataclass
from typing import Any

import httpx
from django.conf import settings

from billing_portal.taxes.ids import VatId
from billing_portal.taxes.models import TaxIdCheck

Answer = TaxIdCheck.Answer
TIMEOUT_S = 20
_NOT_TOLD = "---"
_BAD_REQUESTER = "INVALID_REQUESTER_INFO"
_BAD_ID = "INVALID_INPUT"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the register said; `consultation` proves that it was asked, and when."""

    answer: TaxIdCheck.Answer
    name: str = ""
    address: str = ""
    consultation: str = ""


def ask(vat_id: VatId, *, requester: VatId | None) -> Reply:
    """Whether an id is valid now.  The register names a consultation only to a `requester`.

    A requester the register does not know is left out in a second request.
    """
    question = {"countryCode": vat_id.prefix, "vatNumber": vat_id.number}
    found = _post(question | _from(requester))
    if requester and _BAD_REQUESTER in _errors(found):
        found = _post(question)
    return _reply(found)


def _from(requester: VatId | None) -> dict[str, str]:
    if requester is None:
        return {}
    return {
        "requesterMemberStateCode": requester.prefix,
        "requesterNumber": requester.number,
    }


def _post(question: dict[str, str]) -> dict[str, Any]:
    """The register's answer as it came; empty if there was none that could be read."""
    address = f"{settings.VIES_URL.rstrip('/')}/check-vat-number"
    try:
        response = httpx.post(address, json=question, timeout=TIMEOUT_S)
        found = response.json()
    except (httpx.HTTPError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _errors(found: dict[str, Any]) -> set[str]:
    wrapped = found.get("errorWrappers") or []
    return {str(one.get("error", "")) for one in wrapped if isinstance(one, dict)}


def _reply(found: dict[str, Any]) -> Reply:
    errors = _errors(found)
    if errors == {_BAD_ID}:
        return Reply(Answer.INVALID)
    valid = found.get("valid")
    if errors or not isinstance(valid, bool):
        return Reply(Answer.UNAVAILABLE)
    return Reply(
        Answer.VALID if valid else Answer.INVALID,
        name=_told(found, "name"),
        address=_told(found, "address"),
        consultation=_told(found, "requestIdentifier"),
    )


def _told(found: dict[str, Any], name: str) -> str:
    text = str(found.get(name) or "").strip()
    return "" if text == _NOT_TOLD else text
