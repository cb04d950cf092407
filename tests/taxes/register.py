"""A stand-in for the EU's register of VAT ids, on loopback."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class Register:
    """What it was asked, in order, and what it answers.  `replies` are given one by one, then
    everything in `valid` is valid."""

    url: str = ""
    valid: dict[str, str] = field(default_factory=dict)
    replies: list[tuple[int, Any]] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)

    def answer(self, path: str, question: dict[str, str]) -> tuple[int, Any]:
        self.asked.append(question)
        if path != "/rest-api/check-vat-number":
            return 404, "no such page"
        if self.replies:
            return self.replies.pop(0)
        vat_id = question["countryCode"] + question["vatNumber"]
        name = self.valid.get(vat_id)
        return 200, {
            "countryCode": question["countryCode"],
            "vatNumber": question["vatNumber"],
            "requestDate": "2026-11-20T10:00:00.000Z",
            "valid": name is not None,
            "requestIdentifier": "WAPI1" if "requesterNumber" in question else "",
            "name": name or "---",
            "address": "1 RUE DE LA PAIX\n75002 PARIS" if name else "---",
        }


def failed(error: str) -> tuple[int, Any]:
    """What the register says when it cannot say."""
    return 200, {"actionSucceed": False, "errorWrappers": [{"error": error}]}


@contextmanager
def running() -> Iterator[Register]:
    register = Register()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            status, reply = register.answer(self.path, json.loads(self.rfile.read(length)))
            body = reply if isinstance(reply, str) else json.dumps(reply)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    register.url = f"http://127.0.0.1:{server.server_port}/rest-api"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield register
    finally:
        server.shutdown()
        server.server_close()
