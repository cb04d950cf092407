"""The agent as a WSGI program: where each request goes, what is answered, what is logged.

Who may enter is decided in `gates.py`.  `chkcon.php` needs no credentials, because it exists
to test the allow-list.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any
from urllib.parse import quote

from . import api, seed
from .backend import BackEnd, BackEndError, NotThere, Taken, Unavailable
from .gates import Gates
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


@dataclass(slots=True)
class Visit:
    """What is known of one request, for its reply and its line in the log."""

    caller: str
    token: str = "-"
    refusal: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class AgentApp:
    """One PBX's agent."""

    def __init__(self, back_end: BackEnd, gates: Gates) -> None:
        self._back_end = back_end
        self._gates = gates

    def __call__(
        self, environ: Mapping[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        began = monotonic()
        visit = Visit(self._gates.caller(environ))
        reply = self._answer(environ, visit)
        content = reply.content()
        _log_access(environ, visit, reply.status, monotonic() - began)
        headers = {**visit.headers, **dict(response_headers(reply, content))}
        start_response(f"{reply.status} {REASONS[reply.status]}", sorted(headers.items()))
        return [content]

    def _answer(self, environ: Mapping[str, Any], visit: Visit) -> Reply:
        path = environ.get("PATH_INFO", "")
        try:
            self._gates.check_address(visit.caller)
            visit.headers = self._gates.limiter.count(visit.caller, path)
            return self._route(read_request(environ), visit)
        except Problem as error:
            problem = error
        except BackEndError as error:
            problem = _as_problem(error)
        except Exception:
            # Nobody above would log it, and the caller must not see it.
            logger.exception("our bug, answering %s", quote(path))
            problem = Problem(500, "internal", "The agent failed; its log says why.")
        visit.refusal = problem.code
        return _refusal(path, problem)

    def _route(self, request: Request, visit: Visit) -> Reply:
        if request.path in seed.CHKCON_PATHS:
            return Reply(200, seed.GRANTED)
        if seed.has(request.path):
            token = self._gates.token_or_form(request)
            visit.token = token.name
            return seed.answer(self._back_end, request, token)
        token = self._gates.token(request)
        visit.token = token.name
        return api.answer(self._back_end, request, token)


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
    if path in seed.CHKCON_PATHS and problem.code == "not_allowed":
        return Reply(403, seed.DENIED)
    if path.endswith(".php") or seed.has(path):
        body = seed.error(problem, datetime.now(UTC))
        return Reply(problem.status, body, problem.headers)
    error: dict[str, Any] = {"code": problem.code, "message": problem.message}
    if problem.fields:
        error["fields"] = problem.fields
    return Reply(problem.status, {"error": error}, problem.headers)


def _log_access(environ: Mapping[str, Any], visit: Visit, status: int, seconds: float) -> None:
    """One line per request: caller, token, request, status.  No query, no body, no secret.

    The path is quoted, so nobody can write lines of their own.
    """
    access_log.info(
        "%s %s %s %s %s %d ms%s",
        quote(visit.caller, safe=":.") or "?",
        visit.token,
        quote(environ.get("REQUEST_METHOD", "-")),
        quote(environ.get("PATH_INFO", "")),
        status,
        round(seconds * 1000),
        f" refused: {visit.refusal}" if visit.refusal else "",
    )
