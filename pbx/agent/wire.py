"""HTTP as the agent's handlers see it: a request, a reply, and a problem with a status."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

MAX_BODY_BYTES = 1_000_000


class Problem(Exception):
    """A refusal with an HTTP status.  `fields` says what is wrong with which field."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = dict(fields or {})
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class Request:
    """One request.  `address` is the socket's peer; `callers.py` says whose request it is."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    address: str
    bearer: str

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; no body is an empty one.  Raises Problem(400)."""
        if not self.body:
            return {}
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Problem(400, "bad_json", "The body is not JSON.") from error
        if not isinstance(value, dict):
            raise Problem(400, "bad_json", "The body must be a JSON object.")
        return value

    def form(self) -> dict[str, str]:
        """The body as form fields; what cannot be decoded is replaced."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Reply:
    """`body` is what JSON can carry, or bytes of another `content_type`."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()


def read_request(environ: Mapping[str, Any]) -> Request:
    """The request in a WSGI environment.  Raises Problem for a length that is no number or
    too large."""
    kind, _, bearer = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return Request(
        method=environ["REQUEST_METHOD"],
        path=environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace"),
        query=dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
        body=_body(environ),
        address=environ.get("REMOTE_ADDR", ""),
        bearer=bearer.strip() if kind.lower() == "bearer" else "",
    )


def _body(environ: Mapping[str, Any]) -> bytes:
    length = environ.get("CONTENT_LENGTH") or "0"
    if not re.fullmatch(r"[0-9]{1,12}", length):
        raise Problem(400, "bad_length", "Content-Length is no number.")
    if int(length) > MAX_BODY_BYTES:
        raise Problem(413, "too_large", f"The body may have {MAX_BODY_BYTES} bytes at most.")
    body: bytes = environ["wsgi.input"].read(int(length))
    return body


def response_headers(reply: Reply, content: bytes) -> Sequence[tuple[str, str]]:
    """The reply's headers, in order."""
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **reply.headers}
    if content:
        headers["Content-Type"] = reply.content_type
        headers["Content-Length"] = str(len(content))
    return sorted(headers.items())
