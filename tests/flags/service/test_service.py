"""The process: start, stop, ports, databases, TLS, and a database that goes away and comes back."""

import shutil
import socket
import ssl
import subprocess
import sys
import time

import grpc
import httpx
import pytest
from harness import forked
from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2, sync_pb2_grpc

from pitwall_flags.client import FlagClient
from pitwall_flags.errors import FlagsUnreachableError
from pitwall_flags.provider.provider import PitwallProvider
from pitwall_flags.service.__main__ import read_settings

pytestmark = pytest.mark.slow
WHO = {"actor": "kim", "reason": "a test"}
USER = {"context": {"targetingKey": "user-1"}}


def run(*options):
    command = [sys.executable, "-m", "pitwall_flags.service", *options]
    return forked.run(command)


@pytest.fixture
def taken():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


@pytest.mark.parametrize("option", ["--http-port", "--sync-port", "--metrics-port"])
def test_a_taken_port_is_named_with_its_option(taken, tmp_path, option):
    free = ("--http-port", "0", "--sync-port", "0", "--metrics-port", "0")
    done = run("--database", f"sqlite+aiosqlite:///{tmp_path}/flags.db", *free, option, str(taken))
    assert done.returncode == 2
    assert f"127.0.0.1:{taken}" in done.stderr
    assert option in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "database", ["sqlite+aiosqlite:////none/such/flags.db", "nonsense", "postgresql+asyncpg://u:secret@127.0.0.1:1/x"]
)
def test_a_database_out_of_reach_is_told_without_its_password(database):
    done = run("--database", database, "--http-port", "0", "--sync-port", "0")
    assert done.returncode == 2
    assert "see --database" in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr


def test_where_there_are_no_tokens_only_pages_that_were_named_ask_and_by_this_machines_name(service_on, tmp_path):
    page = "https://app.example"
    with service_on(tmp_path, options=("--requests-per-second", "0", "--cors-origin", page)) as service:
        asked = {
            "a page of another site": {"origin": "https://evil.example"},
            "a name that was made to lead here": {"host": "evil.example"},
            "a page that may": {"origin": page},
            "this machine": {},
        }
        answers = {who: httpx.get(f"{service.url}/v1/flags", headers=headers) for who, headers in asked.items()}

    assert [answer.status_code for answer in answers.values()] == [403, 403, 200, 200]


def test_it_stops_at_once_and_in_order_with_clients_connected(service, tmp_path, eventually):
    provider = PitwallProvider(service.sync, state_path=tmp_path / "flags.json", retry_seconds=0.05)
    provider.initialize(None)
    eventually(lambda: not provider.is_stale)
    began = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - began < 30  # with a client connected, it could wait for ever
    eventually(lambda: provider.is_stale)
    provider.shutdown()


async def test_flags_survive_a_crash(service, split):
    client = FlagClient(service.url)
    await client.put("f", split(100), expected_version=None, **WHO)
    service.crash()
    service.start()
    assert (await client.get("f")).version == 1
    await client.close()


async def test_two_replicas_on_postgresql_publish_each_others_writes(postgres, service_on, tmp_path, split, eventually):
    database = postgres.new_database()
    with service_on(tmp_path, database=database) as first, service_on(tmp_path, database=database) as second:
        provider = PitwallProvider(second.sync, state_path=tmp_path / "flags.json", retry_seconds=0.05)
        provider.initialize(None)
        client = FlagClient(first.url)
        await client.put("f", split(100), expected_version=None, **WHO)
        eventually(lambda: provider.flag_keys() == ("f",))
        await client.close()
        provider.shutdown()


async def test_evaluation_goes_on_while_the_database_is_away(postgres, service_on, tmp_path, split, eventually):
    with service_on(tmp_path, database=postgres.new_database()) as service:
        client = FlagClient(service.url)
        await client.put("f", split(10_000), expected_version=None, **WHO)
        postgres.stop()
        try:
            async with httpx.AsyncClient(base_url=service.url, timeout=20) as http:
                answer = await http.post("/ofrep/v1/evaluate/flags/f", json=USER)
                assert answer.json()["value"] == "aks-v2"
                refused = await http.get("/v1/flags")
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            with pytest.raises(FlagsUnreachableError, match="database does not answer"):
                await client.put("f", split(0), expected_version=1, **WHO)
        finally:
            postgres.start()
        assert (await client.put("f", split(0), expected_version=1, **WHO)).version == 2
        async with httpx.AsyncClient(base_url=service.url) as http:
            answer = await http.post("/ofrep/v1/evaluate/flags/f", json=USER)
        assert answer.json()["value"] == "uniform-v1"
        await client.close()


@pytest.fixture
def make_certificate(tmp_path):
    """Makes a key and a self-signed certificate for 127.0.0.1."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")

    def make(name):
        key, certificate = tmp_path / f"{name}.key", tmp_path / f"{name}.pem"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
        subprocess.run(command, check=True, capture_output=True)
        return key, certificate

    return make


@pytest.fixture
def certificate(make_certificate):
    """A self-signed certificate for 127.0.0.1."""
    return make_certificate("first")


def test_http_and_sync_speak_tls(certificate, service_on, tmp_path, eventually):
    key, authority = certificate
    options = ("--tls-certificate", str(authority), "--tls-private-key", str(key))
    with service_on(tmp_path, options=options) as service:
        context = ssl.create_default_context(cafile=str(authority))
        with httpx.Client(base_url=service.url.replace("http:", "https:"), verify=context) as http:
            assert http.get("/readyz").text == "ready"
            assert "pitwall_flag" in http.get(service.metrics.replace("http:", "https:")).text
        provider = PitwallProvider(service.sync, state_path=tmp_path / "flags.json", authority=authority)
        provider.initialize(None)
        eventually(lambda: not provider.is_stale)
        provider.shutdown()
        with grpc.insecure_channel(service.sync) as channel, pytest.raises(grpc.RpcError):
            sync_pb2_grpc.FlagSyncServiceStub(channel).FetchAllFlags(sync_pb2.FetchAllFlagsRequest(), timeout=30)


def test_a_renewed_certificate_is_shown_without_a_restart(certificate, service_on, tmp_path, make_certificate):
    key, authority = certificate
    options = ("--tls-certificate", str(authority), "--tls-private-key", str(key))
    with service_on(tmp_path, options=options) as service:
        host, port = service.sync.split(":")
        first = ssl.get_server_certificate((host, int(port)))
        later_key, later = make_certificate("later")
        later_key.replace(key)
        later.replace(authority)

        assert first != ssl.get_server_certificate((host, int(port))) == authority.read_text()


async def test_the_operators_client_takes_no_certificate_but_its_authoritys(certificate, service_on, tmp_path):
    key, authority = certificate
    options = ("--tls-certificate", str(authority), "--tls-private-key", str(key))
    with service_on(tmp_path, options=options) as service:
        address = service.url.replace("http:", "https:")
        knowing, trusting = FlagClient(address, authority=authority), FlagClient(address)
        assert (await knowing.contents()).records == ()
        with pytest.raises(FlagsUnreachableError, match="CERTIFICATE_VERIFY_FAILED"):
            await trusting.contents()
        await knowing.close()
        await trusting.close()


def test_evaluations_are_counted_by_flag_variant_and_reason(http, shared_service, key, split):
    http.put(f"/v1/flags/{key}", json={"document": split(10_000), **WHO}, headers={"If-None-Match": "*"})
    for _ in range(3):
        http.post(f"/ofrep/v1/evaluate/flags/{key}", json=USER)
    http.post(f"/ofrep/v1/evaluate/flags/{key}-none", json=USER)
    metrics = http.get(shared_service.metrics).text
    assert f'pitwall_flag_evaluations_total{{flag="{key}",reason="SPLIT",variant="candidate"}} 3.0' in metrics
    assert f"{key}-none" not in metrics


def answered(connection, request, *, cut):
    """The answer to a request sent in two packets, up to the error code that ends it."""
    connection.sendall(request[:cut])
    time.sleep(0.02)
    connection.sendall(request[cut:])
    answer = b""
    while b"errorCode" not in answer and (more := connection.recv(65_536)):
        answer += more
    return answer


@pytest.mark.parametrize("upgrade", ["h2c", "websocket"])
@pytest.mark.parametrize("cut", [0, 40, -5])
def test_an_offered_upgrade_is_ignored_and_the_body_is_read(shared_service, upgrade, cut):
    body = b'{"context": {"targetingKey": 7}}'
    head = f"Host: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\nHTTP2-Settings: AAM\r\n"
    start = f"POST /ofrep/v1/evaluate/flags/none HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", shared_service.http_port), timeout=10) as connection:
        for _ in range(2):  # the connection stays open
            assert b"targetingKey is a int" in answered(connection, start.encode() + body, cut=cut)


def test_what_is_no_http_is_refused_in_words(shared_service):
    with socket.create_connection(("127.0.0.1", shared_service.http_port), timeout=10) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        assert b"400 Bad Request" in connection.recv(65_536)


def test_the_database_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("PITWALL_FLAGS_DATABASE", "postgresql+asyncpg://pitwall:secret@db/flags")

    assert read_settings([]).database == "postgresql+asyncpg://pitwall:secret@db/flags"
    assert read_settings(["--database", "sqlite+aiosqlite:///x.db"]).database == "sqlite+aiosqlite:///x.db"
