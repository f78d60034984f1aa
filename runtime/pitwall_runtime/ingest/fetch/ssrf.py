"""Protects against server-side request forgery: resolves a host to one public address, or refuses it.

A name that is unknown and one that leads to a private address are refused alike: else whoever asks could try out
names, and learn which of them exist inside.
"""

import ipaddress
import socket
from collections.abc import Set as AbstractSet
from urllib.parse import SplitResult

from pitwall_runtime.errors import HostUnknownError, MediaRefusedError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_INSIDE = tuple(
    map(
        ipaddress.ip_network,
        (
            "168.63.129.16/32",  # what Azure's hosts tell their machines, at an address that is public by its number
            "192.0.0.0/24",  # protocols' own, and what Oracle's tell theirs
            "192.88.99.0/24",  # relays of 6to4, of which none is left
            "3fff::/20",  # examples in documents
        ),
    )
)
"""Not for everybody, although the library takes them for it, or did in a version that we run on."""
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))


def pinned_address(parts: SplitResult, allowed_hosts: AbstractSet[str]) -> str:
    """The address to connect to for `parts`. The name is resolved here, once: a second answer of the name server,
    given between check and connection, is never used.

    `allowed_hosts` ("host" or "host:port") are exempt: an object store on the cluster's own network.
    """
    host, port = parts.hostname or "", port_of(parts)
    addresses = _resolve(host, port)
    if host in allowed_hosts or f"{host}:{port}" in allowed_hosts:
        return addresses[0]
    for address in addresses:
        if not is_public(ipaddress.ip_address(address)):
            raise _no_public_address(host)
    return addresses[0]


def port_of(parts: SplitResult) -> int:
    """The port, explicit or by scheme."""
    try:
        port = parts.port
    except ValueError:
        raise MediaRefusedError(f"the port in {parts.netloc!r} is not a number from 1 to 65535") from None
    return port or (443 if parts.scheme == "https" else 80)


def is_public(address: Address) -> bool:
    """Whether an address may be fetched from. An IPv4 address hidden in an IPv6 one is judged as what it is."""
    if isinstance(address, ipaddress.IPv6Address):
        hidden = _hidden(address)
        if hidden is not None:
            return is_public(hidden)
        if address.is_site_local:  # fec0::/10, private addresses of old, which the library takes for global ones
            return False
    if any(address in network for network in _INSIDE):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _hidden(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if any(address in network for network in _NAT64):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour


def _resolve(host: str, port: int) -> list[str]:
    if not host:
        raise MediaRefusedError("the address names no host; write https://host/path")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError):  # a ValueError is about a name that no name server is asked for
        raise HostUnknownError(_no_public_address(host).message) from None
    return [str(entry[4][0]).split("%", maxsplit=1)[0] for entry in found]


def _no_public_address(host: str) -> MediaRefusedError:
    """The one refusal of a host: the name server's answer is nobody's business."""
    return MediaRefusedError(
        f"host {host!r} has no public address here; check the name, or have the operator allow it with --allow-host"
    )
