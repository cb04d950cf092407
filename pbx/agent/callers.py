"""Whose request it is: the socket's peer, or the caller a trusted proxy names.

`X-Forwarded-For` can be written by anyone.  It counts only when the peer is one of the
proxies in the config, and then only its last entry that is no such proxy: everything left
of that one was sent by the caller.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from .allow_list import AllowList

NOBODY = ""
"""The caller of a request whose origin cannot be told; no allow-list has it."""

_NO_NETWORKS = AllowList(())


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The proxies whose word counts.  `unix_socket`: whoever connects over the socket file."""

    networks: AllowList = _NO_NETWORKS
    unix_socket: bool = False

    def include(self, address: str) -> bool:
        return self.unix_socket if address == "" else self.networks.allows(address)


NO_PROXIES = TrustedProxies()


def caller_of(environ: Mapping[str, Any], proxies: TrustedProxies) -> str:
    """The caller's address, or NOBODY.

    `client, 198.51.100.9` from the proxy 127.0.0.1 is 198.51.100.9: what the proxy itself
    saw, not what its caller claimed.
    """
    peer = str(environ.get("REMOTE_ADDR", ""))
    hops = [hop.strip() for hop in str(environ.get("HTTP_X_FORWARDED_FOR", "")).split(",")]
    if not proxies.include(peer) or hops == [""]:
        return peer
    for hop in reversed(hops):
        if not _is_address(hop):
            return NOBODY
        if not proxies.include(hop):
            return hop
    return hops[0]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
