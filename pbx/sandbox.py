"""The sandbox PBX, served over real HTTP on loopback.

Every bearer token is a PBX of its own, with its own clock, tenants and calls; the demo's
exists from the start.  What answers is the agent's own program, on a back end that is only
memory.  `sandbox_control.py` makes things happen on it.
"""

import ipaddress
import json
import os
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

from pbx.agent.app import REASONS, StartResponse
from pbx.agent.sandbox_account import CONTROL_PREFIX, INSTEAD, Account, Fault
from pbx.agent.wire import Problem, Reply, Request, read_request, response_headers

DEMO_TOKEN = "sandbox-token"
_LOST = "sandbox.lost"
_SAVE_EVERY_S = 1


class SandboxServer:
    """One running sandbox.  With a `state_path` what it was told survives a restart."""

    def __init__(self, host: str, port: int, state_path: Path | None = None) -> None:
        self._state_path = state_path
        self._saved_at = 0.0
        self._lock = threading.Lock()
        self._accounts = {DEMO_TOKEN: Account(DEMO_TOKEN)}
        if state_path and state_path.exists():
            self._load(json.loads(state_path.read_text()))
        self._http = _HttpServer((host, port), _Handler)
        self._http.set_app(self._answer)
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
        """Stop answering and free the port."""
        if self._is_serving:
            self._http.shutdown()
        if self._thread:
            self._thread.join()
        self._http.server_close()
        self._save()

    def _answer(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith(CONTROL_PREFIX):
            return _send(self._control(environ), start_response)
        account = self._accounts.get(_token(environ), self._accounts[DEMO_TOKEN])
        fault = account.strike(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if fault and fault.kind in INSTEAD:
            return _answer_instead(fault, start_response)
        content = account.app(environ, start_response)
        if environ["REQUEST_METHOD"] != "GET":
            self._save()
        if fault and fault.kind == "delay":
            time.sleep(fault.delay_s)
        if fault and fault.kind == "lose_reply":
            environ[_LOST].append(True)
        return content

    def _control(self, environ: Mapping[str, Any]) -> Reply:
        try:
            reply = self._controlled(read_request(environ))
        except Problem as problem:
            body = {"code": problem.code, "message": problem.message}
            return Reply(problem.status, {"error": body})
        # A simulation turns the clock thousands of times; `shutdown` saves the last turn.
        if time.monotonic() - self._saved_at > _SAVE_EVERY_S:
            self._save()
        return reply

    def _controlled(self, request: Request) -> Reply:
        if not ipaddress.ip_address(request.address).is_loopback:
            raise Problem(403, "not_allowed", "Only the same machine may do that.")
        if request.path == CONTROL_PREFIX + "accounts":
            token = str(request.json().get("token") or DEMO_TOKEN)
            with self._lock:
                self._accounts.setdefault(token, Account(token))
            return Reply(201, {})
        if request.bearer not in self._accounts:
            raise Problem(401, "bad_token", "There is no PBX with this token.")
        return self._accounts[request.bearer].control(request)

    def _save(self) -> None:
        """Replace the state file in one step, so a crash leaves the old or the new one."""
        if self._state_path is None:
            return
        with self._lock:
            state = {token: account.dump() for token, account in self._accounts.items()}
            self._state_path.parent.mkdir(parents=True, exist_ok=True)
            draft = self._state_path.with_suffix(".new")
            draft.write_text(json.dumps(state))
            os.replace(draft, self._state_path)
            self._saved_at = time.monotonic()

    def _load(self, state: Mapping[str, Any]) -> None:
        for token, account_state in state.items():
            self._accounts[token] = Account(token)
            self._accounts[token].load(account_state)


def serve(host: str, port: int, state_path: Path | None = None) -> SandboxServer:
    """A sandbox bound to `host` and `port` (0 picks a free one), not yet answering."""
    return SandboxServer(host, port, state_path)


class _HttpServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128

    def server_bind(self) -> None:
        # Without the reverse look-up of our own name, which can take seconds.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()


class _Handler(WSGIRequestHandler):
    def handle(self) -> None:
        """Answer one request, or carry it out and hang up without a word."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.parse_request():
            return
        content, lost = BytesIO(), list[bool]()
        environ = {**self.get_environ(), _LOST: lost}
        handler = ServerHandler(self.rfile, content, self.get_stderr(), environ)
        handler.request_handler = self  # type: ignore[attr-defined]
        handler.run(self.server.get_app())  # type: ignore[attr-defined]
        if not lost:
            with suppress(ConnectionError):  # the caller did not wait
                self.wfile.write(content.getvalue())

    def log_message(self, format: str, *args: Any) -> None:
        """The agent keeps the access log."""


def _token(environ: Mapping[str, Any]) -> str:
    return str(environ.get("HTTP_AUTHORIZATION", "")).removeprefix("Bearer ")


def _answer_instead(fault: Fault, start_response: StartResponse) -> Iterable[bytes]:
    """What a rate limit, a gateway or somebody else's web server says."""
    if fault.kind == "html200":
        start_response("200 OK", [("Content-Type", "text/html")])
        return [b"<html><body>Welcome to nginx!</body></html>"]
    if fault.kind == "302":
        start_response("302 Found", [("Location", "https://login.example/")])
        return [b""]
    headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
    body = {"error": {"code": fault.kind, "message": "The sandbox was asked to fail."}}
    return _send(Reply(int(fault.kind), body, headers), start_response)


def _send(reply: Reply, start_response: StartResponse) -> Iterable[bytes]:
    content = reply.content()
    headers = list(response_headers(reply, content))
    start_response(f"{reply.status} {REASONS[reply.status]}", headers)
    return [content]
