"""Opens listening sockets, and finds ports of this machine that nobody listens on."""

import ipaddress
import socket
from typing import Final

from pitwall_crds.errors import PortError

BACKLOG: Final = 2048
"""Connections that may wait to be accepted: more than a burst of a gateway's clients."""


def listen(host: str, port: int, *, option: str = "--port") -> socket.socket:
    """A listening socket, so that a taken port is known before anything heavy starts. Raises PortError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio switches Nagle off (40 ms per answer) only where it is.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise PortError(f"cannot listen on {host}:{port} ({reason}); choose another {option}, or 0") from None
    return listener


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether the port can be listened on now."""
    try:
        listen(host, port).close()
    except PortError:
        return False
    return True


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that nobody listens on, and that the kernel hands to nobody else for about a minute.

    A connection that the listener's side closes leaves the port in TIME_WAIT (RFC 9293, 3.6.1): whoever names
    it can listen on it, but whoever asks for any port, to listen or to connect from, gets another.
    """
    with listen(host, 0) as listener, socket.create_connection(listener.getsockname()[:2]):
        accepted, _peer = listener.accept()
        port: int = listener.getsockname()[1]
        accepted.close()
    return port


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on this address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
