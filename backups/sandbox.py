"""A strict stand-in for remote-backups.com, served over real HTTP on loopback.

It keeps several accounts by bearer token, each with its own clock, and can be told to
misbehave (`sandbox_control.py`).  `sandbox_vendor.py` answers as the vendor does,
`sandbox_switches.py` is the hidden side, `sandbox_state.py` what lies behind both.
"""

import ipaddress
import json
import os
import socketserver
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from . import sandbox_state, sandbox_switches, sandbox_vendor
from .sandbox_state import Account, Fault
from .sandbox_vendor import Answer, Refusal, Request

DEMO_TOKEN = "sandbox-token"
_KEPT_REQUESTS = 1000


class SandboxServer:
    """One running sandbox.  With a `state_path` its datastores survive a restart."""

    def __init__(self, host: str, port: int, state_path: Path | None = None) -> None:
        self._http = _HttpServer((host, port), _Vendor(state_path))
        self._thread: threading.Thread | None = None
        self._is_serving = False

    @property
    def url(self) -> str:
        host, port = self._http.server_address[:2]
        return f"http://{host!s}:{port}"

    def serve_forever(self) -> None:
        self._is_serving = True
        self._http.serve_forever(poll_interval=0.05)

    def start(self) -> "SandboxServer":
        """Serve in a thread of its own until `shutdown`."""
        self._is_serving = True
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._thread.start()
        return self

    def shutdown(self) -> None:
        """Stop answering, on open connections too, and free the port."""
        self._http.is_stopping = True
        if self._is_serving:
            self._http.shutdown()
        if self._thread:
            self._thread.join()
        self._http.server_close()


def serve(host: str, port: int, state_path: Path | None = None) -> SandboxServer:
    """A sandbox bound to `host` and `port` (0 picks a free one), not yet answering."""
    return SandboxServer(host, port, state_path)


class _Vendor:
    """All accounts, and the file they are kept in."""

    def __init__(self, state_path: Path | None) -> None:
        self._state_path = state_path
        self._lock = threading.Lock()
        self._accounts = {DEMO_TOKEN: Account(DEMO_TOKEN)}
        if state_path and state_path.exists():
            for raw in json.loads(state_path.read_text())["accounts"]:
                self._accounts[raw["token"]] = sandbox_state.from_json(raw)

    def add_account(self, token: str) -> Answer:
        with self._lock:
            self._accounts.setdefault(token, Account(token))
            self._save()
        return Answer(201)

    def switch(self, token: str, request: Request) -> Answer:
        """Answer a request to the hidden side."""
        with self._lock:
            account, now = self._present(token)
            answer = sandbox_switches.answer(account, request, now)
            self._save()
        return answer

    def answer(self, token: str, request: Request) -> tuple[Answer | None, Fault | None]:
        """Answer a request to the vendor, and the fault that hits it; None is no answer."""
        with self._lock:
            account, now = self._present(token)
            del account.requests[:-_KEPT_REQUESTS]
            account.requests.append(f"{request.method} {request.path}")
            fault = account.strike(request.method, request.path)
            if fault and fault.kind in sandbox_switches.BEFORE_COMMIT:
                return None, fault
            if fault and fault.kind == "autoscale":
                sandbox_switches.autoscale(account, request, now)
            try:
                return sandbox_vendor.answer(account, request, now), fault
            finally:
                if request.method != "GET":
                    self._save()

    def _present(self, token: str) -> tuple[Account, datetime]:
        if token not in self._accounts:
            raise Refusal(401, "Unauthorized")
        account = self._accounts[token]
        now = account.now(datetime.now(UTC))
        account.catch_up(now)
        return account, now

    def _save(self) -> None:
        """Write the file whole or not at all."""
        if not self._state_path:
            return
        raw = {"accounts": [sandbox_state.to_json(one) for one in self._accounts.values()]}
        self._state_path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._state_path.with_suffix(".new")
        draft.write_text(json.dumps(raw))
        os.replace(draft, self._state_path)


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    is_stopping = False

    def __init__(self, address: tuple[str, int], vendor: _Vendor) -> None:
        self.vendor = vendor
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own would look up the host's name, which may take seconds.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "sandbox", self.server_address[1]


class _Handler(BaseHTTPRequestHandler):
    server: _HttpServer
    protocol_version = "HTTP/1.1"
    # One packet per answer; two of them would wait for each other on loopback.
    wbufsize = -1
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        super().handle_one_request()
        self.close_connection = self.close_connection or self.server.is_stopping

    def _handle(self) -> None:
        if self.server.is_stopping:
            self.close_connection = True
            return
        url = urlsplit(self.path)
        try:
            request = Request(
                self.command, unquote(url.path), dict(parse_qsl(url.query)), self._body()
            )
            self._route(request)
        except Refusal as refusal:
            self._reply(refusal.answer.status, refusal.answer.body)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _handle

    def _route(self, request: Request) -> None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if not request.path.startswith("/_sandbox/"):
            answer, fault = self.server.vendor.answer(token, request)
            self._reply_with_fault(answer, fault)
            return
        if not ipaddress.ip_address(self.client_address[0]).is_loopback:
            raise Refusal(403, "Only the same machine may do that")
        if (request.method, request.path) == ("POST", "/_sandbox/accounts"):
            named = request.body.get("token") if isinstance(request.body, dict) else None
            if not isinstance(named, str) or not named:
                raise Refusal(400, ["token must be a string"])
            answer = self.server.vendor.add_account(named)
        else:
            answer = self.server.vendor.switch(token, request)
        self._reply(answer.status, answer.body)

    def _body(self) -> Any:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not raw:
            return None
        if not self.headers.get("Content-Type", "").startswith("application/json"):
            raise Refusal(415, "Unsupported Media Type")
        try:
            return json.loads(raw)
        except ValueError as error:
            raise Refusal(400, f"Unexpected token in JSON: {error}") from error

    def _reply_with_fault(self, answer: Answer | None, fault: Fault | None) -> None:
        if answer is None and fault:
            self._reply_instead(fault)
        elif answer and fault and fault.kind == "lose_reply":
            self.close_connection = True
        elif answer and fault and fault.kind == "delay":
            time.sleep(fault.delay_s)
            self._reply(answer.status, answer.body)
        elif answer and fault and fault.kind != "autoscale":
            body = sandbox_switches.altered(fault.kind, answer.body)
            if body is None:
                raise Refusal(404, "Datastore not found")
            self._reply(answer.status, body)
        elif answer:
            self._reply(answer.status, answer.body)

    def _reply_instead(self, fault: Fault) -> None:
        """What a gateway or a broken vendor says."""
        if fault.kind == "html200":
            self._send(200, b"<html><body>Welcome to nginx!</body></html>", "text/html")
        elif fault.kind == "302":
            self._send(302, b"", "text/html", {"Location": "https://login.example/"})
        else:
            status = int(fault.kind)
            wish = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            body = json.dumps({"statusCode": status, "message": _GATEWAY_MESSAGES[status]})
            self._send(status, body.encode(), "application/json", wish)

    def _reply(self, status: int, body: Any) -> None:
        raw = b"" if body is None else json.dumps(body).encode()
        self._send(status, raw, "application/json; charset=utf-8")

    def _send(
        self, status: int, raw: bytes, content_type: str, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(raw)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the portal's own module log has every exchange."""


_GATEWAY_MESSAGES = {
    429: "ThrottlerException: Too Many Requests",
    500: "Internal server error",
    503: "Service Unavailable",
}
