"""The agent as a WSGI program: who may enter, where each request goes, what is logged.

Three gates in a fixed order: the allow-list (before anything else, for every path), the
credentials, the handler.  `chkcon.php` has only the first, because it exists to test it.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from hmac import compare_digest
from time import monotonic
from typing import Any
from urllib.parse import quote

from . import allow_list, api, seed
from .backend import BackEnd, BackEndError, NotThere, Taken, Unavailable
from .wire import Problem, Reply, Request, read_request, response_headers

logger = logging.getLogger("pbx.agent")
access_log = logging.getLogger("pbx.agent.access")

StartResponse = Callable[..., Any]

REASONS = {
    200: "OK",
    201: "Created",
    204: "No Content",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Content Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class AgentApp:
    """One PBX's agent.

    `tokens` are the bearer tokens that open the API; two of them while one is being
    replaced.  `read_allow_list` returns the whitelist file's text, or raises BadAllowList.
    `username` goes with a token in the form fields of the seed's endpoints.
    """

    def __init__(
        self,
        back_end: BackEnd,
        *,
        tokens: Iterable[str],
        read_allow_list: Callable[[], str],
        username: str = "portal",
    ) -> None:
        self._back_end = back_end
        self._tokens = tuple(tokens)
        if not all(self._tokens):
            raise ValueError("an empty token would let everyone in")
        self._read_allow_list = read_allow_list
        self._username = username

    def __call__(
        self, environ: Mapping[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        began = monotonic()
        reply, refusal = self._answer(environ)
        content = reply.content()
        _log_access(environ, reply.status, refusal, monotonic() - began)
        start_response(
            f"{reply.status} {REASONS[reply.status]}", list(response_headers(reply, content))
        )
        return [content]

    def _answer(self, environ: Mapping[str, Any]) -> tuple[Reply, str]:
        """The reply, and for the log why it is not what the caller hoped for."""
        path = environ.get("PATH_INFO", "")
        try:
            self._check_address(environ.get("REMOTE_ADDR", ""))
            return self._route(read_request(environ)), ""
        except Problem as error:
            problem = error
        except BackEndError as error:
            problem = _as_problem(error)
        except Exception:
            # Nobody above would log it, and the caller must not see it.
            logger.exception("our bug, answering %s", quote(path))
            problem = Problem(500, "internal", "The agent failed; its log says why.")
        return _refusal(path, problem), problem.code

    def _check_address(self, address: str) -> None:
        message = "This address is not on the agent's allow-list."
        try:
            networks = allow_list.parse(self._read_allow_list())
        except allow_list.BadAllowList as error:
            logger.error("everyone is refused: %s", error)
            raise Problem(403, "not_allowed", message) from error
        if not networks.allows(address):
            raise Problem(403, "not_allowed", message)

    def _route(self, request: Request) -> Reply:
        if request.path in seed.CHKCON_PATHS:
            return Reply(200, seed.GRANTED)
        if request.path in seed.STATUS_PATHS:
            if not self._has_token(request):
                self._check_form(request)
            return seed.status(self._back_end, request)
        if not self._has_token(request):
            message = "A valid bearer token is needed."
            raise Problem(401, "bad_token", message, headers={"WWW-Authenticate": "Bearer"})
        return api.answer(self._back_end, request)

    def _has_token(self, request: Request) -> bool:
        bearer = request.bearer.encode()
        # All are compared, so that the time taken does not tell which one came close.
        matches = [compare_digest(bearer, token.encode()) for token in self._tokens]
        return any(matches)

    def _check_form(self, request: Request) -> None:
        if not seed.has_credentials(request, username=self._username, tokens=self._tokens):
            raise Problem(401, "bad_credentials", "Authentication failed.")


def _as_problem(error: BackEndError) -> Problem:
    if isinstance(error, NotThere):
        return Problem(404, error.code, str(error))
    if isinstance(error, Taken):
        return Problem(409, error.code, str(error))
    assert isinstance(error, Unavailable)
    after_s = error.retry_after_s
    headers = {} if after_s is None else {"Retry-After": str(after_s)}
    return Problem(503, error.code, str(error), headers=headers)


def _refusal(path: str, problem: Problem) -> Reply:
    """The problem in the dialect of the path: chkcon's, the seed's or the API's."""
    if path in seed.CHKCON_PATHS and problem.status == 403:
        return Reply(403, seed.DENIED)
    if path.endswith(".php") or path in seed.STATUS_PATHS:
        timestamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = {"status": "error", "message": problem.message, "timestamp": timestamp}
        return Reply(problem.status, body, problem.headers)
    error: dict[str, Any] = {"code": problem.code, "message": problem.message}
    if problem.fields:
        error["fields"] = problem.fields
    return Reply(problem.status, {"error": error}, problem.headers)


def _log_access(environ: Mapping[str, Any], status: int, refusal: str, seconds: float) -> None:
    """One line per request.  The path is quoted, so nobody can write lines of their own."""
    access_log.info(
        "%s %s %s %s %d ms%s",
        environ.get("REMOTE_ADDR", "-"),
        quote(environ.get("REQUEST_METHOD", "-")),
        quote(environ.get("PATH_INFO", "")),
        status,
        round(seconds * 1000),
        f" refused: {refusal}" if refusal else "",
    )
