"""Listening sockets: taken ports are told with their remedy, and answers leave at once."""

import contextlib
import re
import socket

import pytest

from pitwall_crds.errors import PortError
from pitwall_crds.host.sockets import free_port, is_free, listen


def test_the_listener_names_its_protocol_so_that_asyncio_switches_nagle_off():
    with listen("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_a_client_connects_before_anybody_accepts():
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname(), timeout=60) as client:
        assert client.getpeername() == listener.getsockname()


def test_a_taken_port_is_told_with_address_reason_and_remedy():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortError) as told:
            listen("127.0.0.1", port, option="--http-port")

    words = rf"cannot listen on 127\.0\.0\.1:{port} \(Address already in use\); choose another --http-port, or 0"
    assert re.fullmatch(words, str(told.value))


@pytest.mark.parametrize(
    ("host", "port"), [pytest.param("127.0.0.1", 65_536, id="port"), pytest.param("no.such.invalid", 0, id="host")]
)
def test_an_address_that_does_not_exist_is_told_the_same_way(host, port):
    with pytest.raises(PortError, match=f"cannot listen on {host}:{port} .+choose another --port"):
        listen(host, port)


def test_a_port_is_free_unless_somebody_listens():
    port = free_port()

    assert is_free(port)
    with listen("127.0.0.1", port):
        assert not is_free(port)
    assert is_free(port)


def test_a_free_port_is_given_to_nobody_who_asks_for_any():
    mine = {free_port() for _ in range(100)}

    with contextlib.ExitStack() as others:
        listening = {others.enter_context(listen("127.0.0.1", 0)).getsockname()[1] for _ in range(400)}
    with listen("127.0.0.1", 0) as listener:
        connecting = set()
        for _ in range(400):
            with socket.create_connection(listener.getsockname()) as client:
                connecting.add(client.getsockname()[1])
                listener.accept()[0].close()

    assert not mine & (listening | connecting)
    assert all(is_free(port) for port in mine)
