"""Lets so many requests of one peer be worked on at once; its others wait, and nobody else's behind them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pitwall_crds.host.http.places import Address, peer_of


@dataclass(slots=True)
class _Peer:
    free: asyncio.Semaphore
    requests: int = 0


@dataclass(slots=True)
class PeerTurns:
    """Of peers that have no request nothing is remembered."""

    most_at_once: int
    _peers: dict[Address, _Peer] = field(default_factory=dict)

    @asynccontextmanager
    async def turn(self, address: str) -> AsyncIterator[None]:
        """Wait until few enough requests from this address, or of IPv6 its /64, are worked on; then this one is."""
        host = peer_of(address).host
        peer = self._peers.setdefault(host, _Peer(asyncio.Semaphore(self.most_at_once)))
        peer.requests += 1
        try:
            async with peer.free:
                yield
        finally:
            peer.requests -= 1
            if not peer.requests:
                del self._peers[host]
