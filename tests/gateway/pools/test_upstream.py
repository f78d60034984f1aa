"""One call to a pool, whatever its runtimes do to the connection."""

import asyncio
import contextlib
import json
import socket
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pitwall_crds.names import Arm
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.pools.routes import RouteTable
from pitwall_gateway.pools.silence import Silence
from pitwall_gateway.pools.upstream import Call, CallLimits, Upstream
from pitwall_gateway.values.answer import FailureKind, VariantAnswer, VariantFailure, VariantRefusal
from pitwall_gateway.values.speaker import Party

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
CHOICES = [{"index": 0, "message": {"content": "at 12 s"}}]
ANSWER = json.dumps({"choices": CHOICES, "pitwall": {"tokens": 7, "cache": "warm"}}).encode()
LIMITS = CallLimits(answer_seconds=20, reply_bytes=4096, connect_seconds=0.3, in_flight=2)
BRIEF = replace(LIMITS, answer_seconds=0.3)
"""For runtimes that never answer: who does is slower than this on a busy machine."""
CALL = Call("aks-v2", Arm.CANDIDATE, b"{}")


def http(status: int, body: bytes, *headers: str) -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status} x", f"content-length: {len(body)}", *headers])
    return head.encode() + b"\r\n\r\n" + body


def sends(*parts: bytes) -> Behaviour:
    """Sends the parts to each request, and hangs up after the last of them."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(b"".join(parts))
        await writer.drain()

    return behave


async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def trickles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Never silent for long, and never done."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def hints(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Always about to answer, as fast as the socket takes it."""
    while not writer.is_closing():
        writer.write(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 100)
        await writer.drain()


async def crumbles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Each byte of its answer is a chunk of its own."""
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"1\r\nx\r\n" * 1000)
        await writer.drain()


class RuntimePool:
    """The runtimes of one variant as bare sockets, and the upstream that calls them."""

    def __init__(self, path: Path, stack: contextlib.AsyncExitStack) -> None:
        self.path = path
        self.stack = stack
        self.table = RouteTable(path)
        self.calls = 0
        self.heard: list[tuple[ArmSeries, str, float, float]] = []
        self.serving: set[asyncio.Task[None] | None] = set()

    async def close(self) -> None:
        """End every conversation: none may outlive the event loop."""
        tasks = [task for task in self.serving if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def until(self, claim: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not claim():  # noqa: ASYNC110 - sockets and files have no event
                await asyncio.sleep(0.005)

    def urls(self) -> tuple[str, ...]:
        return self.table.current(time.monotonic()).urls("aks-v2", Arm.CANDIDATE)

    async def runtime(self, behaviour: Behaviour) -> str:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.calls += 1
            self.serving.add(asyncio.current_task())
            try:
                await behaviour(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self.stack.callback(server.close)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    def upstream(self, *urls: str, limits: CallLimits = LIMITS, silence: Silence | None = None) -> Upstream:
        self.path.write_text(json.dumps({"variants": {"aks-v2": {"stable": urls}}}))
        upstream = Upstream(self.table, limits, answered=lambda *heard: self.heard.append(heard), silence=silence)
        self.stack.push_async_callback(upstream.close)
        return upstream


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[RuntimePool]:
    async with contextlib.AsyncExitStack() as stack:
        pool = RuntimePool(tmp_path / "routes.json", stack)
        stack.push_async_callback(pool.close)
        yield pool


@pytest.fixture
def dead() -> str:
    """A URL at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.mark.parametrize(
    ("behaviour", "fault"),
    [
        pytest.param(hangs, FailureKind.TIMEOUT, id="a runtime that says nothing"),
        pytest.param(trickles, FailureKind.TIMEOUT, id="a runtime that sends a byte now and then"),
        pytest.param(sends(b"SSH-2.0-OpenSSH_9\r\n"), FailureKind.UNREACHABLE, id="something that speaks no HTTP"),
        pytest.param(sends(), FailureKind.UNREACHABLE, id="a runtime that hangs up without a word"),
        pytest.param(sends(http(200, ANSWER)[:-5]), FailureKind.UNREACHABLE, id="an answer that is cut"),
        pytest.param(
            sends(http(200, b"no gzip", "content-encoding: gzip")), FailureKind.MALFORMED, id="a body of another code"
        ),
        pytest.param(hints, FailureKind.UNREACHABLE, id="a runtime that hints for ever"),
        pytest.param(crumbles, FailureKind.MALFORMED, id="a runtime that sends crumbs for ever"),
        pytest.param(sends(http(200, b"x" * 5000)), FailureKind.MALFORMED, id="more than an answer may have"),
        pytest.param(sends(http(200, b"")), FailureKind.MALFORMED, id="an empty answer"),
        pytest.param(sends(http(302, b"", "location: http://x/")), FailureKind.MALFORMED, id="a redirect"),
        pytest.param(sends(http(503, b"loading")), FailureKind.STATUS, id="a runtime that is not ready"),
    ],
)
async def test_a_call_that_fails_says_how_and_never_raises(pool, behaviour, fault):
    limits = BRIEF if fault is FailureKind.TIMEOUT else LIMITS
    upstream = pool.upstream(await pool.runtime(behaviour), limits=limits)

    reply = await upstream.ask(CALL)

    assert isinstance(reply, VariantFailure)
    assert reply.fault is fault
    assert "http://127.0.0.1" in reply.detail, "the log says which pod it was"


async def test_a_reply_that_would_hold_up_all_others_is_refused_with_the_limit_and_what_to_do(pool):
    upstream = pool.upstream(await pool.runtime(sends(http(200, b"x" * 1_100_000))), limits=CallLimits())

    reply = await upstream.ask(CALL)

    assert "more than the limit of 1048576 bytes" in reply.detail
    assert "make its maxFrames or maxTokens less" in reply.detail


@pytest.mark.parametrize(
    ("packing", "layers"), [pytest.param("gzip", 1, id="once"), pytest.param("GZIP , gzip", 2, id="and once more")]
)
async def test_a_reply_that_is_packed_is_refused_before_it_is_unpacked(pool, monkeypatch, packing, layers):
    """Of seven kilobytes, packed twice, four gigabytes once stood the gateway still and ended it."""
    body = ANSWER
    for _ in range(layers):
        body = zlib.compress(body, wbits=31)
    monkeypatch.setattr(zlib, "decompressobj", None)  # whoever unpacks fails otherwise
    packed = http(200, body, f"Content-Encoding: {packing}")
    asked: list[bytes] = []

    async def packs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"{}"))
        writer.write(packed)
        await writer.drain()

    reply = await pool.upstream(await pool.runtime(packs)).ask(CALL)

    assert isinstance(reply, VariantFailure)
    assert (reply.fault, reply.counts) == (FailureKind.MALFORMED, True)
    assert f"packed its reply as {packing.lower()!r}" in reply.detail
    assert b"accept-encoding: identity" in asked[0].lower()


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://a\x00b", id="a control character"),
        pytest.param("http://does.not.exist.invalid", id="a name nobody knows"),
        pytest.param("http://" + "x" * 300, id="a name longer than names can be"),
    ],
)
async def test_a_url_that_leads_nowhere_is_a_variant_out_of_reach(pool, url):
    reply = await pool.upstream(url).ask(CALL)

    assert isinstance(reply, VariantFailure)
    assert reply.fault in (FailureKind.UNREACHABLE, FailureKind.TIMEOUT)


async def test_what_a_runtime_says_to_a_bad_question_is_passed_on_byte_for_byte(pool):
    upstream = pool.upstream(await pool.runtime(sends(http(422, b"\xff not text"))))

    assert await upstream.ask(CALL) == VariantRefusal(422, "the question was refused (422) without a reason", "refused")


async def test_a_dead_pod_costs_one_attempt_and_its_neighbour_answers(pool, dead):
    upstream = pool.upstream(dead, await pool.runtime(sends(http(200, ANSWER))))

    replies = [await upstream.ask(CALL) for _ in range(4)]

    assert all(isinstance(reply, VariantAnswer) and reply.tokens == 7 for reply in replies)
    assert pool.calls == 4


async def test_a_question_is_asked_at_most_twice_when_every_pod_is_dead(pool, dead):
    hangup = await pool.runtime(sends())
    upstream = pool.upstream(hangup, dead)

    reply = await upstream.ask(CALL)

    assert reply.fault is FailureKind.UNREACHABLE
    assert reply.detail.startswith("sampler variant aks-v2 cannot be reached at http://127.0.0.1")
    assert pool.calls <= 2


@pytest.fixture
def silent():
    """An address whose machine says nothing to whoever connects, as that of a lost node."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # those who wait to be accepted; from here on whoever knocks is not even refused
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


async def test_a_machine_that_says_nothing_is_told_from_one_that_refuses_and_from_one_that_hangs(pool, silent, dead):
    found = []
    for url, limits in ((silent, LIMITS), (dead, LIMITS), (await pool.runtime(hangs), BRIEF)):
        silence = Silence()
        upstream = pool.upstream(url, limits=limits, silence=silence)
        await pool.until(lambda url=url: pool.urls() == (url,))
        reply = await upstream.ask(CALL)
        found.append((reply.fault, reply.reached, bool(silence.seconds())))

    assert found == [
        (FailureKind.UNREACHABLE, False, True),
        (FailureKind.UNREACHABLE, False, False),
        (FailureKind.TIMEOUT, True, False),
    ]


async def test_a_pod_on_a_lost_node_costs_one_attempt_and_its_neighbour_answers(pool, silent):
    upstream = pool.upstream(silent, await pool.runtime(sends(http(200, ANSWER))))
    answers = [await upstream.ask(CALL) for _ in range(4)]

    assert {type(answer) for answer in answers} == {VariantAnswer}


async def test_a_kept_connection_that_the_runtime_closed_is_opened_again(pool):
    """The runtime ends idle connections when it likes; the user must not notice."""
    ended = asyncio.Event()

    async def closes_after_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(http(200, ANSWER, "connection: keep-alive"))
        await writer.drain()
        if pool.calls == 1:
            await reader.read(1)  # the next question of this connection: hung up on
            ended.set()

    upstream = pool.upstream(await pool.runtime(closes_after_one))

    replies = [await upstream.ask(CALL) for _ in range(2)]

    assert all(isinstance(reply, VariantAnswer) for reply in replies)
    assert ended.is_set()


async def test_a_runtime_that_hangs_up_after_a_while_is_not_asked_again(pool):
    """It may have begun to work on the question: only an immediate end is a stale connection."""

    async def thinks_and_dies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.15)

    upstream = pool.upstream(await pool.runtime(thinks_and_dies))

    reply = await upstream.ask(CALL)

    assert isinstance(reply, VariantFailure)
    assert pool.calls == 1


async def test_an_arm_takes_its_share_of_calls_and_gives_it_back(pool):
    upstream = pool.upstream(await pool.runtime(hangs), limits=BRIEF)
    stable = Call("aks-v2", Arm.STABLE, b"{}")

    first = await asyncio.gather(*(upstream.ask(CALL) for _ in range(3)), upstream.ask(stable))
    again = await upstream.ask(CALL)

    assert [reply.fault.value for reply in first] == ["timeout", "timeout", "saturated", "timeout"]
    assert "2 questions under way, its limit" in first[2].detail
    assert again.fault is FailureKind.TIMEOUT, "the places are free again"


async def test_a_caller_has_a_part_of_an_arms_places_and_what_is_refused_says_nothing_of_the_variant(pool):
    upstream = pool.upstream(await pool.runtime(hangs), limits=replace(BRIEF, in_flight=4))
    loud, quiet = replace(CALL, party=Party("loud", "ann")), replace(CALL, party=Party("quiet"))

    *first, other = await asyncio.gather(*(upstream.ask(loud) for _ in range(4)), upstream.ask(quiet))

    assert [reply.fault.value for reply in first] == ["timeout"] * 3 + ["saturated"]
    assert "3 questions of this caller under way, its part of 4" in first[3].detail
    assert not first[3].counts
    assert other.fault is FailureKind.TIMEOUT
    assert (await upstream.ask(loud)).fault is FailureKind.TIMEOUT, "the places are free again"


async def test_a_caller_who_leaves_gives_the_place_back(pool):
    upstream = pool.upstream(await pool.runtime(hangs), limits=CallLimits(answer_seconds=30, in_flight=1))
    asked = asyncio.create_task(upstream.ask(CALL))
    await pool.until(lambda: pool.calls)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    answers = await pool.runtime(sends(http(200, ANSWER)))
    pool.upstream(answers)
    await pool.until(lambda: pool.urls() == (answers,))

    assert isinstance(await upstream.ask(CALL), VariantAnswer)


async def test_routes_that_change_while_a_call_is_under_way_leave_it_alone(pool):
    release = asyncio.Event()

    async def answers_later(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        await release.wait()
        writer.write(http(200, ANSWER))

    upstream = pool.upstream(await pool.runtime(answers_later), limits=CallLimits(answer_seconds=30))
    asked = asyncio.create_task(upstream.ask(CALL))
    await pool.until(lambda: pool.calls)
    pool.path.write_text('{"variants": {}}')
    await pool.until(lambda: not pool.urls())
    refused = await upstream.ask(CALL)
    release.set()

    assert refused.fault is FailureKind.UNROUTED
    assert isinstance(await asked, VariantAnswer)


async def test_every_url_that_answers_or_fails_is_told_with_its_wait(pool, dead):
    slow, quick = await pool.runtime(hangs), await pool.runtime(sends(http(200, ANSWER)))

    before = time.monotonic()
    await pool.upstream(slow, limits=BRIEF).ask(CALL)
    upstream = pool.upstream(dead, quick)
    await upstream.ask(CALL)
    await upstream.ask(CALL)

    assert {series for series, *_ in pool.heard} == {ArmSeries("aks-v2", Arm.CANDIDATE)}
    assert [url for _, url, *_ in pool.heard if url != dead] == [slow, quick, quick]
    assert dead in [url for _, url, *_ in pool.heard]
    assert BRIEF.answer_seconds <= pool.heard[0][3] < time.monotonic() - before
    assert all(before <= started <= time.monotonic() for _, _, started, _ in pool.heard)


async def test_a_question_at_fault_itself_tells_nothing_of_its_pod(pool):
    await pool.upstream(await pool.runtime(sends(http(422, b"no")))).ask(CALL)

    assert pool.heard == []


async def test_a_question_that_its_caller_abandons_tells_nothing_of_its_pod(pool):
    asked = asyncio.create_task(pool.upstream(await pool.runtime(hangs)).ask(CALL))
    await pool.until(lambda: pool.calls)
    asked.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asked
    assert pool.heard == []
