"""Signatures of gateway events: who knows the secret wrote this body, a moment ago.

The header reads `t=<seconds>,v1=<hex>`: HMAC-SHA256 over the seconds, a point and the body,
as several card gateways do it.
"""

import hmac
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from billing_portal.payments.contract import NotGenuine

HEADER = "Webhook-Signature"
TOLERANCE = timedelta(minutes=5)


def sign(body: bytes, secret: str, *, at: datetime) -> str:
    """The header for a body sent at `at`."""
    seconds = int(at.timestamp())
    return f"t={seconds},v1={_digest(body, secret, seconds)}"


def check(header: str, body: bytes, secret: str, *, at: datetime) -> None:
    """Raises NotGenuine unless the header is `sign`'s, no older than five minutes.

    Without a secret nothing is genuine.
    """
    if not secret:
        raise NotGenuine("No secret is set for this gateway.")
    parts = dict(part.strip().split("=", 1) for part in header.split(",") if "=" in part)
    if not parts.get("t", "").isdecimal() or len(parts["t"]) > 12:
        raise NotGenuine("The signature is missing or malformed.")
    seconds = int(parts["t"])
    if not hmac.compare_digest(
        parts.get("v1", "").encode(), _digest(body, secret, seconds).encode()
    ):
        raise NotGenuine("The signature is not of this body.")
    if abs(at - datetime.fromtimestamp(seconds, UTC)) > TOLERANCE:
        raise NotGenuine("The signature is too old.")


def _digest(body: bytes, secret: str, seconds: int) -> str:
    return hmac.new(secret.encode(), b"%d." % seconds + body, sha256).hexdigest()
