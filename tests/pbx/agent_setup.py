"""The agent for tests: its config file (loopback is listed, the token's secret is "right"),
and requests to it without a network."""

from io import BytesIO
from pathlib import Path

from pbx.agent.app import AgentApp
from pbx.agent.gates import Gates
from pbx.agent.limits import Limits, RateLimiter
from pbx.agent.sandbox_backend import SandboxBackEnd
from pbx.agent.tokens import SCOPES, Token, digest_of
from tests.pbx.requests import NOON

CONFIG = f"""\
[access]
allow_list = "/etc/pbx-agent/chkcon_whitelist.conf"
trusted_proxies = ["unix", "192.0.2.1"]
username = "admin"

[[tokens]]
name = "portal"
sha256 = "{digest_of("right")}"
scopes = ["read", "write", "calls"]

[[tokens]]
name = "monitor"
sha256 = "{digest_of("looking")}"
scopes = ["read"]

[limits]
call_export = 5

[back_end]
kind = "sandbox"
"""


def write_config(folder: Path, *, listed: str = "127.0.0.1\n") -> Path:
    allow_list, path = folder / "chkcon_whitelist.conf", folder / "agent.toml"
    allow_list.write_text(listed)
    path.write_text(CONFIG.replace("/etc/pbx-agent/chkcon_whitelist.conf", str(allow_list)))
    return path


def answer_of(app, path="/api/v1/status", *, address="192.0.2.7", **environ):
    """Status and body of a request whose socket's peer is `address`."""
    seen = []
    body = app(
        {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "REMOTE_ADDR": address,
            "HTTP_AUTHORIZATION": "Bearer right",
            "wsgi.input": BytesIO(),
            **environ,
        },
        lambda status, headers: seen.append(int(status.split()[0])),
    )
    return seen[0], b"".join(body).decode()


def app_with_scoped_tokens() -> AgentApp:
    """An agent with a token for each scope, whose secret is the scope's name."""
    tokens = [Token(scope, digest_of(scope), frozenset({scope})) for scope in SCOPES]
    gates = Gates(tokens, lambda: "192.0.2.7\n", RateLimiter(Limits(), lambda: 0.0))
    return AgentApp(SandboxBackEnd(lambda: NOON), gates)
