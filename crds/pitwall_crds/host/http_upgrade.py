"""Serves HTTP/1.1 requests that offer an upgrade as if they had not offered it (RFC 9110, 7.8).

Every JDK's HTTP client offers HTTP/2 (`Upgrade: h2c`) with its requests. httptools stops reading there, and uvicorn
would hand on such a request without its body.
"""

import httptools

from pitwall_crds.host.http_guard import GuardedProtocol, GuardedSlowProtocol
from pitwall_crds.host.logs import GARBAGE


class IgnoresUpgrades(GuardedProtocol):
    """uvicorn's fast parser; a connection whose client offers an upgrade goes on with its other one."""

    def parse(self, data: bytes) -> None:
        """Parse; hand the connection over at the end of the headers that offer an upgrade."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._hand_over(data[offer.args[0] :])
        except httptools.HttpParserError:
            self.logger.warning(GARBAGE)
            self.send_400_response(GARBAGE)

    def _should_upgrade(self) -> bool:
        """Whether to leave the current request alone: always, once it turned out to offer an upgrade."""
        return True

    def _hand_over(self, rest: bytes) -> None:
        if self._refused or (self.cycle is not None and not self.cycle.response_complete):
            self.transport.close()  # a pipelined offer: two parsers would write into each other's answers
            return
        self.connections.discard(self)
        self._arriving.stop()
        self._refused = True  # what comes now is the other parser's
        head = b"%s %s HTTP/1.1\r\n" % (self.scope["method"].encode(), self.url)
        kept = (header for header in self.headers if header[0] not in _OFFER)
        fields = b"".join(b"%s: %s\r\n" % header for header in kept)
        protocol = GuardedSlowProtocol(self.config, self.server_state, self.app_state)
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        protocol.data_received(head + fields + b"\r\n" + rest)


_OFFER = frozenset({b"upgrade", b"http2-settings"})
