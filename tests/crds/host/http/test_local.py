"""A server on loopback that asks nobody who they are answers to this machine, and to no other site's pages."""

import contextlib
import socket

import httpx
import pytest

from pitwall_crds.host.http.local import LocalOnly, for_this_machine
from pitwall_crds.host.http.server import SideServer, ThreadServer
from pitwall_crds.host.sockets import listen

FOREIGN = [
    pytest.param({"host": "evil.example:18123"}, id="a name that was made to lead here"),
    pytest.param({"host": "127.0.0.1.evil.example"}, id="a name that looks like an address"),
    pytest.param({"host": "0.0.0.0:8000"}, id="the address that is every address"),
    pytest.param({"host": "[::1"}, id="no address"),
    pytest.param({"origin": "http://evil.example"}, id="a page of another site"),
    pytest.param({"origin": "null"}, id="a page of nowhere"),
    pytest.param([("origin", "http://localhost"), ("origin", "http://evil.example")], id="two pages"),
]
OWN = [
    pytest.param({}, id="as Prometheus asks"),
    pytest.param({"host": "localhost:9090"}, id="by this machine's name"),
    pytest.param({"host": "[::1]:9090"}, id="by its other address"),
    pytest.param({"origin": "http://localhost:3000"}, id="a page of this machine"),
    pytest.param({"origin": "http://a.localhost"}, id="a page of a name that stays here"),
]


async def hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


async def asked(app, headers):
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9090") as client:
        return await client.get("/", headers=headers)


@pytest.mark.parametrize("headers", FOREIGN)
async def test_what_another_sites_page_sends_is_refused_in_words(headers):
    answer = await asked(LocalOnly(hello), headers)

    assert answer.status_code == 403
    assert "to this machine alone" in answer.text


@pytest.mark.parametrize("headers", OWN)
async def test_this_machine_is_answered(headers):
    assert (await asked(LocalOnly(hello), headers)).text == "hello"


@pytest.mark.parametrize(
    ("pages", "headers", "status"),
    [
        pytest.param(["https://app.example"], {"origin": "https://app.example"}, 200, id="a page that may"),
        pytest.param(["https://app.example"], {"origin": "https://evil.example"}, 403, id="another one"),
        pytest.param(["*"], {"origin": "https://evil.example"}, 200, id="every page may"),
        pytest.param(["*"], {"host": "evil.example"}, 403, id="by a name that was made to lead here none may"),
    ],
)
async def test_pages_that_may_ask_still_ask_by_this_machines_name(pages, headers, status):
    assert (await asked(LocalOnly(hello, pages), headers)).status_code == status


def test_who_listens_for_others_too_is_called_by_whatever_name():
    with socket.create_server(("0.0.0.0", 0)) as for_all, listen("127.0.0.1", 0) as local:
        assert for_this_machine(hello, for_all) is hello
        assert isinstance(for_this_machine(hello, local), LocalOnly)


@contextlib.asynccontextmanager
async def beside(host):
    listener = listen(host, 0)
    port, server = listener.getsockname()[1], SideServer(hello, listener)
    async with httpx.AsyncClient(trust_env=False, base_url=f"http://127.0.0.1:{port}") as client:
        yield client
    await server.end()


@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", 403), ("0.0.0.0", 200)])
async def test_what_is_served_beside_refuses_them_on_loopback_and_not_in_a_pod(host, status):
    async with beside(host) as client:
        answers = [await client.get("/", headers=one) for one in ({"host": "evil.example"}, {"origin": "http://evil"})]
        assert [answer.status_code for answer in answers] == [status, status]
        assert (await client.get("/")).status_code == 200


def test_a_thread_refuses_them_too():
    listener = listen("127.0.0.1", 0)
    url, server = f"http://127.0.0.1:{listener.getsockname()[1]}/", ThreadServer(hello, listener)
    with httpx.Client(trust_env=False) as client:
        assert client.get(url, headers={"host": "evil.example"}).status_code == 403
        assert client.get(url).text == "hello"
    server.close()
