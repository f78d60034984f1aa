"""TLS servers: whoever does not greet is counted, bounded and hung up on, and a renewed certificate is shown."""

import asyncio
import contextlib
import shutil
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import uvicorn

from pitwall_crds.host.http import tls as http_tls
from pitwall_crds.host.http.connection_limits import ConnectionLimits
from pitwall_crds.host.http.server import GracefulServer
from pitwall_crds.host.http.tls import GreetsWithTls, keep_renewed, server_context
from pitwall_crds.host.http.upgrade import IgnoresUpgrades
from pitwall_crds.host.sockets import listen

QUICK = ConnectionLimits(header_seconds=0.5, per_peer=20, total=25)


def self_signed(folder: Path, name: str) -> tuple[Path, Path]:
    """Certificate and key for 127.0.0.1."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


async def app(scope, receive, send):
    """Echoes the body."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-scheme", scope["scheme"].encode())]})
    await send({"type": "http.response.body", "body": body})


@contextlib.asynccontextmanager
async def serving(context: ssl.SSLContext, limits: ConnectionLimits):
    guarded = type("Limited", (IgnoresUpgrades,), {"limits": limits})
    protocol = type("Greeting", (GreetsWithTls,), {"context": context, "guarded": guarded})
    listener = listen("127.0.0.1", 0)
    server = GracefulServer(uvicorn.Config(app, http=protocol, lifespan="off", log_level="critical"), signals=())
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield server, listener.getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        await asyncio.wait_for(task, 30)


async def echoed(port: int, certificate: Path, text: str) -> tuple[str, str]:
    """What comes back, and by which scheme the server believes to be asked."""
    context = ssl.create_default_context(cafile=str(certificate))
    async with httpx.AsyncClient(verify=context, trust_env=False, timeout=30) as client:
        answer = await client.post(f"https://127.0.0.1:{port}/", content=text)
        return answer.text, answer.headers["x-scheme"]


async def test_who_greets_is_served(tmp_path):
    certificate, key = self_signed(tmp_path, "one")
    async with serving(server_context(certificate, key), QUICK) as (server, port):
        assert await echoed(port, certificate, "x" * 100_000) == ("x" * 100_000, "https")
        async with asyncio.timeout(30):
            while server.server_state.connections:  # noqa: ASYNC110 - a server has no event for it
                await asyncio.sleep(0.01)


async def test_a_request_that_comes_with_the_end_of_the_handshake_is_not_lost(tmp_path):
    certificate, key = self_signed(tmp_path, "one")
    context = ssl.create_default_context(cafile=str(certificate))
    async with serving(server_context(certificate, key), QUICK) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        sending, arriving = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(arriving, sending, server_hostname="127.0.0.1")
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(sending.read())
                arriving.write(await reader.read(65_536))
        tls.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nearly")
        writer.write(sending.read())  # the handshake's end and the request in one packet
        answer = b""
        while b"early" not in answer:
            with contextlib.suppress(ssl.SSLWantReadError):
                answer += tls.read(65_536)
                continue
            arriving.write(await asyncio.wait_for(reader.read(65_536), 30))
        writer.close()


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"], ids=["nothing", "half", "no TLS"])
async def test_of_many_who_never_greet_only_so_many_stay_and_none_for_long(tmp_path, sent):
    certificate, key = self_signed(tmp_path, "one")
    async with serving(server_context(certificate, key), QUICK) as (server, port), contextlib.AsyncExitStack() as stack:
        readers, most = [], 0
        for _ in range(40):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
            writer.write(sent)
            readers.append(reader)
            most = max(most, len(server.server_state.connections))

        async def ended(reader: asyncio.StreamReader) -> None:
            async with asyncio.timeout(30):
                with contextlib.suppress(ConnectionError):
                    while await reader.read(65_536):
                        pass

        await asyncio.gather(*map(ended, readers))
        assert most <= QUICK.per_peer + 1
        assert await echoed(port, certificate, "still here") == ("still here", "https")


@pytest.mark.parametrize("greets", [False, True], ids=["or greet", "though they greet"])
async def test_strangers_who_fill_every_place_and_say_nothing_keep_nobody_out(tmp_path, greets):
    certificate, key = self_signed(tmp_path, "one")
    theirs = ssl.create_default_context(cafile=str(certificate)) if greets else None
    limits = ConnectionLimits(per_peer=4, total=8)
    async with serving(server_context(certificate, key), limits) as (_, port), contextlib.AsyncExitStack() as stack:
        for number in range(24):
            at = (f"127.0.7.{2 + number % 3}", 0)
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=theirs, local_addr=at)
            stack.callback(writer.close)
            if number % 6 == 5:
                assert await echoed(port, certificate, "still here") == ("still here", "https")


async def test_who_leaves_the_end_of_an_answer_unread_is_hung_up_on(tmp_path):
    """It lies below TLS, where neither its transport nor its application hear of it."""
    certificate, key = self_signed(tmp_path, "one")
    context = ssl.create_default_context(cafile=str(certificate))
    async with serving(server_context(certificate, key), replace(QUICK, reading_seconds=0.5)) as (server, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.transport.pause_reading()
        body = b"x" * 100_000
        waits = 0
        while not waits:
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await asyncio.sleep(0.01)
            waits = max(each.wire.get_write_buffer_size() for each in server.server_state.connections)

        async with asyncio.timeout(10):
            while server.server_state.connections:  # noqa: ASYNC110 - a server has no event for it
                await asyncio.sleep(0.01)
        writer.transport.abort()


async def test_who_reads_slowly_but_steadily_gets_it_all(tmp_path):
    certificate, key = self_signed(tmp_path, "one")
    context = ssl.create_default_context(cafile=str(certificate))
    async with serving(server_context(certificate, key), replace(QUICK, reading_seconds=0.5)) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        body = b"x" * 8_000_000
        writer.write(
            b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        loop = asyncio.get_running_loop()
        began, taken = loop.time(), 0
        while part := await reader.read(16_384):
            taken += len(part)
            await asyncio.sleep(0.003)
        writer.close()

    assert taken > len(body)
    assert loop.time() - began > 1, "else nothing was slow"


async def test_a_renewed_certificate_is_shown_to_who_comes_then(tmp_path, monkeypatch):
    monkeypatch.setattr(http_tls, "RENEWAL_SECONDS", 0.02)
    certificate, key = self_signed(tmp_path, "one")
    later, later_key = self_signed(tmp_path, "two")
    context = server_context(certificate, key)
    async with serving(context, QUICK) as (_, port):
        renewing = asyncio.create_task(keep_renewed(context, certificate, key))
        assert (await echoed(port, certificate, "a"))[0] == "a"
        later_key.rename(key)  # for a moment the pair does not fit
        await asyncio.sleep(0.1)
        certificate.unlink()
        later.rename(certificate)
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(httpx.ConnectError):
                    if (await echoed(port, certificate, "b"))[0] == "b":
                        break
        renewing.cancel()
