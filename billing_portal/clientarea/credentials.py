"""What a client needs to connect, row by row.  Secrets are read only to be revealed.

Rows of a secret carry no value until a person asks for it by a POST, which leaves an
audit entry; the page that a browser loads never holds one.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.services.models import Service
from provisioning.models import Placement

FINGERPRINT = re.compile(r"([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}")
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Row:
    """One value with a copy button.  A secret's `value` is "" until it is revealed."""

    key: str
    label: str
    value: str
    is_secret: bool = False
    help: str = ""


DATASTORE_ROWS = (
    ("host", "Server", ""),
    ("port", "Port", ""),
    ("username", "Username", ""),
    ("password", "Password", ""),
    ("datastore", "Datastore", ""),
    ("fingerprint", "Fingerprint", "Only needed if your software asks for it; it may change."),
)


def datastore_rows(placement: Placement) -> list[Row]:
    """The values a backup client asks for, in the order its form asks."""
    known = placement.credentials
    return [
        Row(key, label, "" if key == "password" else str(known[key]), key == "password", note)
        for key, label, note in DATASTORE_ROWS
        if known.get(key)
    ]


def extension_rows(placement: Placement) -> list[Row]:
    """The extensions of a PBX, in order of number, without their passwords."""
    return [_extension_row(one) for one in placement.credentials.get("extensions", [])]


def phone_rows(placement: Placement) -> list[Row]:
    """What all phones of a PBX share."""
    known = placement.credentials
    rows = (("domain", "SIP domain"), ("proxy", "SIP proxy"))
    return [Row(key, label, str(known[key])) for key, label in rows if known.get(key)]


def reveal(placement: Placement, key: str, *, actor: User, at: datetime) -> Row | None:
    """The row of one secret with its value, noted in the audit log; None if there is none."""
    row = _secret(placement.credentials, key)
    if row is None:
        return None
    service: Service = placement.service
    label = f"Password of {row.label}" if row.help else row.label
    audit.record(
        "service.credentials_revealed",
        service,
        summary=f"{label} of {service} revealed",
        at=at,
        actor=actor,
        client_id=service.client_id,
        details={"secret": key},
    )
    return row


def commands(placement: Placement) -> str:
    """How Proxmox VE adds the datastore as storage; it asks for the password itself."""
    known = {key: str(value) for key, value in placement.credentials.items()}
    if not HOST.fullmatch(known.get("host", "")):
        return ""
    parts = [
        *("pvesm", "add", "pbs", f"backup-{placement.service_id}"),
        *("--server", known["host"], "--datastore", known.get("datastore", "")),
        *("--username", known.get("username", ""), "--content", "backup"),
    ]
    if FINGERPRINT.fullmatch(known.get("fingerprint", "")):
        parts += ["--fingerprint", known["fingerprint"]]
    return f"{shlex.join(parts)} --password"


def repository(placement: Placement) -> str:
    """The repository string of proxmox-backup-client: user@pbs@host:8007:datastore."""
    known = placement.credentials
    if not HOST.fullmatch(str(known.get("host", ""))):
        return ""
    return f"{known.get('username')}@{known['host']}:{known.get('port')}:{known.get('datastore')}"


def _secret(known: Mapping[str, Any], key: str) -> Row | None:
    """The row of one secret with its value; None if there is no such secret."""
    if key == "password" and known.get("password"):
        return Row(key, "Password", str(known["password"]), is_secret=True)
    for extension in known.get("extensions", []):
        row = _extension_row(extension)
        if row.key == key:
            return replace(row, value=str(extension["password"]))
    return None


def _extension_row(extension: Mapping[str, Any]) -> Row:
    """A phone's account: its number as the label, its name as the help."""
    number = extension["number"]
    return Row(f"extension-{number}", number, "", is_secret=True, help=extension["name"])
