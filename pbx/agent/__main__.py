"""`python -m pbx.agent`: serve the agent on loopback, check its config, make a token.

It needs nothing installed.  A WSGI server in front of `pbx.agent.wsgi` takes more load.
"""

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from ipaddress import ip_address
from os import environ
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from . import build, config, tokens
from .allow_list import BadAllowList, file_reader, parse

DEFAULT_LISTEN = "127.0.0.1:8070"


def main(arguments: list[str]) -> int:
    """Run one command; the exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except (config.BadConfig, BadAllowList) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return status


def _serve(options: Namespace) -> int:
    host, port = options.listen
    agent = build.agent_from(options.config)
    build.set_up_logging()
    with _Server((host, port), _Handler) as server:
        server.set_app(agent)
        print(f"The agent answers on http://{host}:{server.server_port}", flush=True)
        server.serve_forever()
    return 0


def _check(options: Namespace) -> int:
    """Say who could enter, or what is wrong."""
    settings = config.load(options.config)
    networks = parse(file_reader(settings.allow_list)()).networks
    print("Listed:", ", ".join(str(network) for network in networks))
    for token in settings.tokens:
        print(f"Token: {token.name} ({', '.join(sorted(token.scopes))})")
    print("Back end:", settings.back_end)
    return 0


def _new_token(options: Namespace) -> int:
    secret = tokens.new_secret()
    print("Give the portal this secret; it cannot be shown again:")
    print(f"  {secret}\n")
    print(f"Add to {options.config}, then reload the agent:")
    scopes = ", ".join(f'"{scope}"' for scope in tokens.SCOPES)
    print(f'[[tokens]]\nname = "{options.name}"')
    print(f'sha256 = "{tokens.digest_of(secret)}"\nscopes = [{scopes}]')
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m pbx.agent", description=__doc__)
    path = Path(environ.get(build.CONFIG_VARIABLE, build.DEFAULT_CONFIG))
    parser.add_argument("--config", type=Path, default=path, help=f"Its config file ({path}).")
    commands = parser.add_subparsers(required=True, metavar="command")
    serve = commands.add_parser("serve", help="Serve on loopback, behind the web server.")
    serve.add_argument("--listen", type=_loopback, default=DEFAULT_LISTEN, help=DEFAULT_LISTEN)
    serve.set_defaults(run=_serve)
    commands.add_parser("check", help="Check the config and the allow-list.").set_defaults(
        run=_check
    )
    new_token = commands.add_parser("new-token", help="Make a token and print its hash.")
    new_token.add_argument("name", nargs="?", default="portal")
    new_token.set_defaults(run=_new_token)
    return parser


def _loopback(text: str) -> tuple[str, int]:
    """Host and port.  Only loopback: there is no TLS here, the web server has it."""
    host, _, port = text.rpartition(":")
    try:
        if ip_address(host).version == 4 and ip_address(host).is_loopback:
            return host, int(port)
    except ValueError:
        pass
    raise ArgumentTypeError(f"{text!r} is not like {DEFAULT_LISTEN}")


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128

    def server_bind(self) -> None:
        # Without the reverse look-up of our own name, which can take seconds.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()


class _Handler(WSGIRequestHandler):
    timeout = 30

    def log_message(self, format: str, *args: Any) -> None:
        """The agent keeps the access log."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
