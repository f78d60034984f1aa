"""flagd.sync.v1 with the published Python provider, and the service's own promises on the stream."""

import asyncio
import contextlib
import json
import threading

import grpc
import pytest
from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType
from openfeature.evaluation_context import EvaluationContext
from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2, sync_pb2_grpc

from pitwall_flags.client import FlagClient
from pitwall_flags.flag.document import read_split
from pitwall_flags.flag.flagset import FlagSet
from pitwall_flags.flag.record import Contents, FlagRecord
from pitwall_flags.service import publish
from pitwall_flags.service.auth import ALL_FLAGS, AccessTokens, TokenScope
from pitwall_flags.service.fairness.streams import StreamLimits
from pitwall_flags.service.publish import Publisher
from pitwall_flags.service.sync import Messages, SyncService, TokenGate, read_selector, server_options

FLAG = "sampler.variant"


async def write(service, key, document, version=None):
    client = FlagClient(service.url)
    try:
        return await client.put(key, document, expected_version=version, actor="test", reason="move the split")
    finally:
        await client.close()


@pytest.mark.slow
async def test_the_published_provider_follows_a_live_change_and_agrees_on_every_user(service, split, eventually):
    await write(service, FLAG, split(0))
    host, port = service.sync.split(":")
    provider = FlagdProvider(host=host, port=int(port), resolver_type=ResolverType.IN_PROCESS, deadline_ms=5000)
    api.set_provider_and_wait(provider, "flagd")
    try:
        client = api.get_client("flagd")
        assert client.get_string_details(FLAG, "default", EvaluationContext("user-1")).variant == "stable"
        document = split(3000)
        await write(service, FLAG, document, 1)
        flags = FlagSet({"flags": {FLAG: document}})
        users = [f"user-{number}" for number in range(500)]
        first = next(user for user in users if flags.evaluate(FLAG, user, {}).variant == "candidate")
        eventually(lambda: client.get_string_value(FLAG, "default", EvaluationContext(first)) == "aks-v2")
        theirs = [client.get_string_details(FLAG, "default", EvaluationContext(user)).variant for user in users]
        assert theirs == [flags.evaluate(FLAG, user, {}).variant for user in users]
    finally:
        api.shutdown()


@pytest.mark.slow
async def test_the_published_provider_forgets_a_deleted_flag(service, split, eventually):
    await write(service, FLAG, split(0))
    await write(service, "other", split(0))
    host, port = service.sync.split(":")
    provider = FlagdProvider(host=host, port=int(port), resolver_type=ResolverType.IN_PROCESS, deadline_ms=5000)
    api.set_provider_and_wait(provider, "forgets")
    remover = FlagClient(service.url)
    try:
        client = api.get_client("forgets")
        assert client.get_string_value(FLAG, "default", EvaluationContext("user-1")) == "uniform-v1"
        await remover.delete(FLAG, expected_version=1, actor="test", reason="tidy up")
        eventually(lambda: client.get_string_value(FLAG, "default", EvaluationContext("user-1")) == "default")
        assert client.get_string_value("other", "default", EvaluationContext("user-1")) == "uniform-v1"
    finally:
        await remover.close()
        api.shutdown()


@pytest.fixture
def stub(service):
    with grpc.insecure_channel(service.sync) as channel:
        yield sync_pb2_grpc.FlagSyncServiceStub(channel)


@pytest.mark.slow
async def test_fetch_all_and_the_stream_agree_and_name_the_set(service, stub, split):
    await write(service, FLAG, split(100))
    fetched = stub.FetchAllFlags(sync_pb2.FetchAllFlagsRequest(), timeout=60)
    stream = stub.SyncFlags(sync_pb2.SyncFlagsRequest(), timeout=60)
    streamed = next(stream)
    stream.cancel()
    assert streamed.flag_configuration == fetched.flag_configuration
    assert dict(streamed.sync_context) == {"flagSetId": "pitwall"}
    assert dict(stub.GetMetadata(sync_pb2.GetMetadataRequest(), timeout=60).metadata) == {"flagSetId": "pitwall"}
    configuration = json.loads(fetched.flag_configuration)
    assert configuration["metadata"]["flagSetId"] == "pitwall"
    assert read_split(configuration["flags"][FLAG]) == read_split(split(100))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("request_selector", "metadata"),
    [("prefix=a.", ()), ("", (("flagd-selector", "prefix=a.,flagSetId=pitwall"),))],
)
async def test_a_selector_selects_by_prefix(service, stub, split, request_selector, metadata):
    for key in ("a.x", "b.x"):
        await write(service, key, split(0))
    request = sync_pb2.FetchAllFlagsRequest(selector=request_selector)
    fetched = stub.FetchAllFlags(request, timeout=60, metadata=metadata)
    assert list(json.loads(fetched.flag_configuration)["flags"]) == ["a.x"]


@pytest.mark.slow
@pytest.mark.parametrize("selector", ["source=x", "flagSetId=other"])
def test_a_selector_that_selects_nothing_we_have_is_refused(stub, selector):
    with pytest.raises(grpc.RpcError) as refused:
        stub.FetchAllFlags(sync_pb2.FetchAllFlagsRequest(selector=selector), timeout=60)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(("selector", "prefix"), [("", ""), ("prefix=a", "a"), (" prefix=a , flagSetId=s", "a")])
def test_selectors(selector, prefix):
    assert read_selector(selector, "s") == prefix


@pytest.mark.slow
async def test_a_follower_sees_versions_only_rise_and_ends_at_the_last(service, stub, split):
    await write(service, FLAG, split(0))
    seen: list[int] = []
    stream = stub.SyncFlags(sync_pb2.SyncFlagsRequest(), timeout=30)

    def read() -> None:
        for message in stream:
            seen.append(int(json.loads(message.flag_configuration)["metadata"]["version"]))
            if seen[-1] == 31:
                return

    reader = threading.Thread(target=read)
    reader.start()
    for version in range(1, 31):
        await write(service, FLAG, split(version), version)
    reader.join(20)
    stream.cancel()
    assert seen[-1] == 31
    assert seen == sorted(set(seen))


async def test_of_many_idle_connections_only_so_many_stay_and_none_for_long(eventually):
    patience = ("grpc.server_handshake_timeout_ms", 500)
    server = grpc.aio.server(options=(*(o for o in server_options(20) if o[0] != patience[0]), patience))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    clients = [await asyncio.open_connection("127.0.0.1", port) for _ in range(40)]

    async def ended(reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while await reader.read(65_536):
                pass

    endings = [asyncio.create_task(ended(reader)) for reader, _ in clients]
    async with asyncio.timeout(30):
        done, waiting = await asyncio.wait(endings, timeout=0.2)
        assert len(done) >= 20, "what is beyond is turned away at once"
        await asyncio.gather(*waiting)
    for _, writer in clients:
        writer.close()
    await server.stop(0)


async def test_metadata_without_end_is_refused():
    server = grpc.aio.server(options=server_options(20))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_unary("/any/call")(b"", metadata=(("x", "x" * 1_000_000),), timeout=30)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    await server.stop(0)


@pytest.mark.parametrize("method", ["FetchAllFlags", "SyncFlags", "GetMetadata"])
@pytest.mark.parametrize("token", ["", "good"], ids=["open", "guarded"])
async def test_a_message_that_is_none_is_the_callers_fault_alone(caplog, method, token):
    given = {f"PITWALL_FLAGS_{scope.upper()}_TOKEN": f"{scope}-{token}-of-the-tests" for scope in TokenScope}
    tokens = AccessTokens.from_environment(given if token else {})
    server = grpc.aio.server(interceptors=[TokenGate(tokens)])
    publisher = Publisher(None, "tests")  # no flag is read
    sync_pb2_grpc.add_FlagSyncServiceServicer_to_server(SyncService(publisher, tokens), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    metadata = (("x-api-key", f"evaluate-{token}-of-the-tests"),) if token else ()
    path = f"/flagd.sync.v1.FlagSyncService/{method}"
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_stream(path) if method == "SyncFlags" else channel.unary_unary(path)
        asked = call(b"\xff\xff\xff", metadata=metadata, timeout=30)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await (asked.read() if method == "SyncFlags" else asked)
    await server.stop(0)

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "flagd.sync.v1" in refused.value.details()
    # A poller of gRPC may still wake up the loop of a test before.
    assert not [record for record in caplog.records if "PollerCompletionQueue" not in record.getMessage()]


LARGE = {"state": "ENABLED", "variants": {"a": "x" * 60_000}, "defaultVariant": "a"}


@contextlib.asynccontextmanager
async def serving(limits: StreamLimits, flags: int = 20):
    """A stub of a sync server within these limits, over flags of 60 kB each."""
    publisher = Publisher(None, "tests")
    records = tuple(FlagRecord(f"f{number}", LARGE, 1) for number in range(flags))
    publisher.snapshot = publish._first(Contents(records, 1, 0), "tests")
    tokens = AccessTokens()
    server = grpc.aio.server(interceptors=[TokenGate(tokens)])
    sync_pb2_grpc.add_FlagSyncServiceServicer_to_server(SyncService(publisher, tokens, limits), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        narrow = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_536))
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=narrow) as channel:
            yield sync_pb2_grpc.FlagSyncServiceStub(channel)
    finally:
        await publisher.close()
        await server.stop(0)


async def refusal(call) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        async with asyncio.timeout(30):
            await (call.read() if hasattr(call, "read") else call)
    return refused.value


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        pytest.param(StreamLimits(of_token=3), "3 streams of this token are open", id="of one token"),
        pytest.param(StreamLimits(of_all=3), "3 streams are open, which is the limit of all", id="of all"),
    ],
)
async def test_so_many_streams_and_no_more(limits, words):
    async with serving(limits) as stub:
        open_ones = [stub.SyncFlags(sync_pb2.SyncFlagsRequest()) for _ in range(3)]
        for one in open_ones:
            assert (await one.read()).flag_configuration
        for call in (stub.SyncFlags(sync_pb2.SyncFlagsRequest()), stub.FetchAllFlags(sync_pb2.FetchAllFlagsRequest())):
            refused = await refusal(call)
            assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert words in refused.details()
        open_ones[0].cancel()
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(grpc.aio.AioRpcError):
                    assert await stub.FetchAllFlags(sync_pb2.FetchAllFlagsRequest())
                    break
                await asyncio.sleep(0.01)


async def test_a_stream_that_nobody_reads_is_dropped_and_what_it_held_is_free_for_others(caplog):
    async with serving(StreamLimits(token_bytes=1, unread_seconds=0.5), flags=60) as stub:
        unread = stub.SyncFlags(sync_pb2.SyncFlagsRequest())
        await unread.initial_metadata()  # the server has begun; of its message only the first part is taken
        other = stub.SyncFlags(sync_pb2.SyncFlagsRequest())
        async with asyncio.timeout(30):
            assert len((await other.read()).flag_configuration) > 60 * 60_000
    assert "were dropped: 1" in caplog.text


def test_flags_are_encoded_once_for_all_who_select_alike():
    snapshot = publish._first(Contents((FlagRecord("a.x", LARGE, 1), FlagRecord("b.x", LARGE, 1)), 1, 0), "tests")
    messages = Messages()

    whole = messages.of(snapshot, "", ALL_FLAGS, "tests")
    assert messages.of(snapshot, "", ALL_FLAGS, "tests") is whole
    assert len(messages.of(snapshot, "a.", ALL_FLAGS, "tests")) < len(whole) * 0.6
    newer = publish._first(Contents((FlagRecord("a.x", LARGE, 2),), 2, 0), "tests")
    assert messages.of(newer, "", ALL_FLAGS, "tests") != whole
