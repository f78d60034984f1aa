"""Gives a server's places to connections, so that whoever holds many that say nothing keeps nobody else out.

What is full takes whoever comes, and lets go of a connection that waits for its client instead: of the network that has
most of them, there of the host with most, and of those the one that has waited longest. A connection that has shown
credentials waits for nobody in this sense, nor does one whose whole request is being answered.
"""

import ipaddress
from collections import Counter
from collections.abc import Callable, Hashable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

KEPT: Final = 1 / 4
"""Of all places: for connections that have shown credentials, and for hosts that have."""
CALLER_PART: Final = 1 / 2
"""Of all places, what connections may hold for good that have shown the same caller's credentials."""
MOST_HOSTS: Final = 4096
"""That are remembered for the credentials that came from them."""
VOUCH: Final = "pitwall.vouch"
"""The name of an ASGI scope's extension, by which an application says that it accepted a request's credentials."""

Key = TypeVar("Key", bound=Hashable)
Address = tuple[int, int] | str
"""A version of IP and the first bits of its addresses, or what has no such."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other side: a host, which has one address of IPv4 or a /64 of IPv6, and the network around it."""

    host: Address
    network: Address


def peer_of(address: str) -> Peer:
    """The peer with this address. What a socket for both versions shows of IPv4 is IPv4: else it were one host."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return Peer(address, address)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    number = int(ip)
    if ip.version == 4:
        return Peer((4, number), (4, number >> 8))
    return Peer((6, number >> 64), (6, number >> 80))


@dataclass(eq=False, slots=True)
class Place:
    """One connection's. `let_go` ends the connection."""

    peer: Peer
    let_go: Callable[[], None]
    is_held: bool = False
    caller: str | None = None
    """Whose credentials it has shown; None for a stranger's."""


class Places:
    """The places of one server."""

    def __init__(self, total: int, per_peer: int) -> None:
        self._total, self._per_peer = total, per_peer
        self._taken = 0
        self._hosts: Counter[Address] = Counter()
        self._callers: Counter[str] = Counter()
        self._known_hosts: dict[Address, None] = {}
        self._waiting: dict[Address, dict[Place, None]] = {}
        self._crowds: dict[Address, Counter[Address]] = {}
        self._sizes: Counter[Address] = Counter()

    def take(self, place: Place) -> bool:
        """Whether there is a place for this connection, which then waits for what its client has to say. Another one
        may have to make way."""
        host = place.peer.host
        if host and self._hosts[host] >= self._per_peer and not self._let_go_of(host):
            return False
        if self._is_full_for(host) and not self._let_go_of(self._most_waiting()):
            return False
        place.is_held = True
        self._taken += 1
        self._hosts[host] += 1
        self.waits(place)
        return True

    def leave(self, place: Place) -> None:
        """The connection is over; nothing happens if it was let go, or had no place."""
        if not place.is_held:
            return
        self.works(place)
        place.is_held = False
        self._taken -= 1
        _take_one(self._hosts, place.peer.host)
        if place.caller is not None:
            _take_one(self._callers, place.caller)

    def waits(self, place: Place) -> None:
        """From now on the connection waits for its client, and may be let go unless it has shown credentials."""
        self.works(place)
        if not place.is_held or place.caller is not None:
            return
        host, network = place.peer.host, place.peer.network
        self._waiting.setdefault(host, {})[place] = None
        self._crowds.setdefault(network, Counter())[host] += 1
        self._sizes[network] += 1

    def works(self, place: Place) -> None:
        """The connection's client waits for us."""
        host, network = place.peer.host, place.peer.network
        waiting = self._waiting.get(host, {})
        if place not in waiting:
            return
        del waiting[place]
        if not waiting:
            del self._waiting[host]
        _take_one(self._crowds[network], host)
        if not self._crowds[network]:
            del self._crowds[network]
        _take_one(self._sizes, network)

    def vouch(self, place: Place, caller: str) -> None:
        """This caller's credentials came over the connection and were accepted: it is not let go any more, unless the
        caller has its part of such already. Its host is known from now on."""
        if place.caller is not None or not place.is_held:
            return
        self._known_hosts.pop(place.peer.host, None)
        self._known_hosts[place.peer.host] = None
        if len(self._known_hosts) > MOST_HOSTS:
            del self._known_hosts[next(iter(self._known_hosts))]
        if self._callers[caller] < self._total * CALLER_PART:
            self.works(place)
            place.caller = caller
            self._callers[caller] += 1

    def _is_full_for(self, host: Address) -> bool:
        strangers = self._taken - self._callers.total()
        kept = self._total * KEPT if self._known_hosts and host not in self._known_hosts else 0
        return self._taken >= self._total or strangers >= self._total - kept

    def _most_waiting(self) -> Address:
        """The host to which most connections of the most crowded network belong; empty if none waits."""
        if not self._sizes:
            return ""
        crowd = self._crowds[max(self._sizes, key=self._sizes.__getitem__)]
        return max(crowd, key=crowd.__getitem__)

    def _let_go_of(self, host: Address) -> bool:
        """Whether one of the host's connections waited, and was let go."""
        place = next(iter(self._waiting.get(host, ())), None)
        if place is None:
            return False
        self.leave(place)
        place.let_go()
        return True


def vouch(scope: MutableMapping[str, Any], caller: str) -> None:
    """Tell the server, if it is one of ours, that it need not let go of this request's connection for a stranger's: the
    caller's credentials were accepted."""
    extension: Callable[[str], None] | None = scope.get("extensions", {}).get(VOUCH)
    if extension is not None:
        extension(caller)


def _take_one(counts: Counter[Key], key: Key) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
