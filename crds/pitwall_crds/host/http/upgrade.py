"""Serves HTTP/1.1 requests that offer an upgrade as if they had not offered it (RFC 9110, 7.8).

Every JDK's HTTP client offers HTTP/2 (`Upgrade: h2c`) with its requests. httptools stops reading there, and uvicorn
would hand on such a request without its body.
"""

import contextlib
from typing import Final

import httptools

from pitwall_crds.host.http.connection_limits import GuardedProtocol
from pitwall_crds.host.logs import GARBAGE

_OFFER: Final = frozenset({b"upgrade", b"http2-settings"})


class IgnoresUpgrades(GuardedProtocol):
    """uvicorn's fast parser; a request that offers an upgrade is read again without its offer, within all limits."""

    def parse(self, data: bytes) -> None:
        """Parse; read headers that offer an upgrade again, by a new parser, which goes on behind them."""
        self._unset_keepalive_if_required()
        rest: memoryview | None = memoryview(data)
        try:
            while rest is not None and not self._refused:
                rest = self._parse_to_offer(rest)
        except httptools.HttpParserError:
            if not self._refused:
                self.logger.warning(GARBAGE)
                self.send_400_response(GARBAGE)

    def _should_upgrade(self) -> bool:
        """Whether to leave the current request alone: always, once it turned out to offer an upgrade."""
        return True

    def _parse_to_offer(self, data: memoryview) -> memoryview | None:
        """What follows the headers that offer an upgrade; None when no headers do."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._read_again()
            return data[offer.args[0] :]
        return None

    def _read_again(self) -> None:
        if self._refused:
            return
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if method == b"CONNECT":  # has no other reading
            self._refuse(501, "CONNECT is not served here; this is no proxy")
            return
        self.parser = httptools.HttpRequestParser(self)
        with contextlib.suppress(AttributeError):  # an older httptools; as uvicorn does
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        fields = b"".join(b"%s: %s\r\n" % header for header in self.headers if header[0] not in _OFFER)
        self.parser.feed_data(b"%s %s HTTP/%s\r\n%s\r\n" % (method, self.url, version.encode(), fields))
