"""Who may talk to the agent: `chkcon_whitelist.conf`, one address or CIDR per line.

Everything doubtful means nobody.  A missing, empty or broken file refuses every caller,
because half a list that was read differently than meant is worse than none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from pathlib import Path

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_MAPPED = IPv6Network("::ffff:0:0/96")


class BadAllowList(Exception):
    """The file cannot be used; the text says why, with the line number."""


@dataclass(frozen=True, slots=True)
class AllowList:
    networks: Sequence[Network]

    def allows(self, address: str) -> bool:
        """Whether the socket's peer is on the list.  What is no address is not.

        `::ffff:192.0.2.7` is 192.0.2.7, as a server listening on IPv6 sees it.
        """
        try:
            peer = _unmapped(ip_address(address.partition("%")[0]))
        except ValueError:
            return False
        return any(peer in network for network in self.networks)


def parse(text: str) -> AllowList:
    """The networks of a whitelist file.  `#` starts a comment, blank lines do not count.

    Host bits in a CIDR are ignored: 192.168.1.20/24 is 192.168.1.0/24.
    Raises BadAllowList if a line is no address, opens the door to everyone, or none is left.
    """
    networks = []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        entry = line.partition("#")[0].strip()
        if entry:
            networks.append(_network(entry, number))
    if not networks:
        raise BadAllowList("the allow-list is empty")
    return AllowList(tuple(networks))


def file_reader(path: Path) -> Callable[[], str]:
    """A function that reads the file anew each time, so that edits count at once.

    It raises BadAllowList if the file is missing, unreadable or no text.
    """

    def read() -> str:
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadAllowList(f"cannot read {path}: {error}") from error

    return read


def _network(entry: str, line_number: int) -> Network:
    try:
        network = ip_network(entry, strict=False)
    except ValueError as error:
        raise BadAllowList(f"line {line_number}: {entry!r} is no address or CIDR") from error
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        network = IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    if network.prefixlen == 0:
        raise BadAllowList(f"line {line_number}: {entry} would let everyone in")
    return network


def _unmapped(address: Address) -> Address:
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
