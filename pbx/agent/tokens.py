"""Bearer tokens: the agent keeps their hashes, and what each may do.

A token is 256 random bits, so one round of SHA-256 hides it; a password people choose would
need more.  `new_secret` makes them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe

READ = "read"
WRITE = "write"
CALLS = "calls"
SCOPES = (READ, WRITE, CALLS)
"""Look at the PBX, change it, collect its call records."""


@dataclass(frozen=True, slots=True)
class Token:
    """`name` is for the log.  `digest` is the SHA-256 of the secret, in lower-case hex."""

    name: str
    digest: str
    scopes: frozenset[str] = frozenset(SCOPES)


def new_secret() -> str:
    return token_urlsafe(32)


def digest_of(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def find(secret: str, tokens: Iterable[Token]) -> Token | None:
    """The token with this secret, if there is one.  An empty secret is nobody's."""
    if not secret:
        return None
    digest = digest_of(secret)
    # All are compared, so that the time taken does not tell which one came close.
    found = [token for token in tokens if compare_digest(token.digest, digest)]
    return found[0] if found else None
