"""Who may enter: the gates before every handler, in this order.

1. The allow-list, before anything else and for every path.
2. The rate limit of the caller, before credentials: guessing them is limited too.
3. The credentials, a bearer token or the form fields of the seed's endpoints.
4. The scope of the token.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any

from . import allow_list, tokens
from .callers import NO_PROXIES, TrustedProxies, caller_of
from .limits import RateLimiter
from .tokens import Token
from .wire import Problem, Request

logger = logging.getLogger("pbx.agent")


@dataclass(frozen=True, slots=True)
class Gates:
    """`tokens` may hold two of one name while one is being replaced.

    `read_allow_list` returns the whitelist file's text, or raises BadAllowList.  `username`
    goes with a token in the form fields of the seed's endpoints.
    """

    tokens: Sequence[Token]
    read_allow_list: Callable[[], str]
    limiter: RateLimiter
    proxies: TrustedProxies = NO_PROXIES
    username: str = "portal"

    def caller(self, environ: Mapping[str, Any]) -> str:
        return caller_of(environ, self.proxies)

    def check_address(self, address: str) -> None:
        """Raises Problem(403) unless the allow-list is in order and has the address."""
        message = "This address is not on the agent's allow-list."
        try:
            networks = allow_list.parse(self.read_allow_list())
        except allow_list.BadAllowList as error:
            logger.error("everyone is refused: %s", error)
            raise Problem(403, "not_allowed", message) from error
        if not networks.allows(address):
            raise Problem(403, "not_allowed", message)

    def token(self, request: Request) -> Token:
        """The bearer token of the request.  Raises Problem(401)."""
        token = tokens.find(request.bearer, self.tokens)
        if token is None:
            message = "A valid bearer token is needed."
            raise Problem(401, "bad_token", message, headers={"WWW-Authenticate": "Bearer"})
        return token

    def token_or_form(self, request: Request) -> Token:
        """The bearer token, or the one that is the password in the form.

        Raises Problem(401).
        """
        if token := tokens.find(request.bearer, self.tokens):
            return token
        form = request.form()
        is_user = compare_digest(form.get("username", "").encode(), self.username.encode())
        token = tokens.find(form.get("password", ""), self.tokens)
        if token is None or not is_user:
            raise Problem(401, "bad_credentials", "Authentication failed.")
        return token


def check_scope(token: Token, scope: str) -> None:
    """Raises Problem(403) if the token does not open this."""
    if scope not in token.scopes:
        raise Problem(403, "scope", f"This token lacks the scope {scope!r}.")
