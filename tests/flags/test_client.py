"""The operator's client: writes in order, applied once, and honest errors when the service is away."""

import asyncio

import httpx
import pytest

from pitwall_flags.client import FlagClient
from pitwall_flags.errors import FlagConflictError, FlagRejectedError, FlagsUnreachableError
from pitwall_flags.flag.record import Newer

pytestmark = pytest.mark.slow
WHO = {"actor": "operator", "reason": "stage 2"}


@pytest.fixture
async def client(shared_service):
    opened = FlagClient(shared_service.url)
    yield opened
    await opened.close()


async def test_writes_are_read_back(client, key, split):
    assert await client.get(key) is None
    written = await client.put(key, split(100), expected_version=None, **WHO)
    assert written == await client.get(key)
    assert key in [record.key for record in await client.list()]


async def test_what_changed_since_a_revision_is_read_alone(client, key, split):
    await client.put(key, split(100), expected_version=None, **WHO)
    await client.put(f"{key}.shadow", split(100), expected_version=None, **WHO)
    before = await client.contents()
    assert {key, f"{key}.shadow"} <= {record.key for record in before.records}
    written = await client.put(key, split(1000), expected_version=1, **WHO)
    await client.delete(f"{key}.shadow", expected_version=1, **WHO)
    newer = await client.newer(before.revision)
    assert (newer.records, newer.gone) == ((written,), {f"{key}.shadow": 2})
    assert newer.revision == before.revision + 2
    assert await client.newer(newer.revision) == Newer((), {}, newer.revision)


async def test_a_conflict_is_told_apart_from_a_refusal(client, key, split):
    await client.put(key, split(100), expected_version=None, **WHO)
    with pytest.raises(FlagConflictError, match="version 1"):
        await client.put(key, split(100), expected_version=4, **WHO)
    with pytest.raises(FlagRejectedError, match=r"422.*state"):
        await client.put(key, {"variants": {}}, expected_version=1, **WHO)


async def test_a_kill_is_seen_by_the_next_writer(client, key, split):
    await client.put(key, split(100), expected_version=None, **WHO)
    assert (await client.kill(key, actor="kim", reason="p99")).killed
    assert (await client.put(key, split(1000), expected_version=2, **WHO)).killed
    assert not (await client.release(key, actor="kim", reason="fixed")).killed


async def test_a_flag_is_deleted_once_though_answers_are_lost(shared_service, client, key, split):
    await client.put(key, split(100), expected_version=None, **WHO)
    with pytest.raises(FlagConflictError, match="version 1"):
        await client.delete(key, expected_version=4, **WHO)
    losing = FlagClient(shared_service.url, transport=LosesAnswers(2))
    await losing.delete(key, expected_version=1, actor="kim & co", reason="tidy up: 100 %")
    await losing.close()
    assert await client.get(key) is None
    async with httpx.AsyncClient(base_url=shared_service.url) as http:
        newest, *_ = (await http.get(f"/v1/flags/{key}/history")).json()["changes"]
    assert (newest["actor"], newest["reason"], newest["version"]) == ("kim & co", "tidy up: 100 %", 2)
    await client.put(key, split(100), expected_version=None, **WHO)
    await client.kill(key, **WHO)
    with pytest.raises(FlagRejectedError, match=r"409.*release"):
        await client.delete(key, expected_version=4, **WHO)


async def test_no_write_is_refused_for_its_words_and_as_many_are_kept_as_there_is_room_for(
    client, key, split, shared_service
):
    long = {"actor": "ann\x00\ud800 " * 100, "reason": "volumes[0].hostPath \u202e\n é日 " * 1000}
    none = {"actor": "", "reason": ""}
    for said in (long, none):
        written = await client.put(key, split(100), expected_version=None, **said)
        await client.kill(key, **said)
        await client.release(key, **said)
        await client.delete(key, expected_version=written.version + 2, **said)
    async with httpx.AsyncClient(base_url=shared_service.url) as http:
        changes = (await http.get(f"/v1/flags/{key}/history")).json()["changes"]
    told = {(change["actor"], change["reason"]) for change in changes}
    assert len(changes) == 8
    assert len(told) == 2
    assert ("somebody", "no reason was given") in told
    assert [(len(actor), actor[-1], len(reason), reason[-1]) for actor, reason in told if actor != "somebody"] == [
        (127, "…", 1024, "…")
    ]


async def test_no_line_of_a_record_is_refused_for_what_it_quotes(client, key):
    line = {
        "kind": "decision",
        "failures": ["no room " * 100_000],
        "gates": {"p95": {"message": "é" * 100_000}},
        "n": 1,
    }
    await client.append_journal("shop", "quotes", [line] * 4)
    [first, *_] = [line async for line in client.read_journal("shop", "quotes")]
    assert (first["kind"], first["n"], first["failures"][0][:7]) == ("decision", 1, "no room")
    assert [len(first["failures"][0]), len(first["gates"]["p95"]["message"])] == [2048, 2048]


async def test_writes_begun_together_are_applied_in_the_order_they_were_begun(client, key, split):
    writes = [
        client.put(key, split(number), expected_version=number or None, actor="operator", reason=str(number))
        for number in range(8)
    ]
    assert [record.version for record in await asyncio.gather(*writes)] == list(range(1, 9))


async def test_a_service_that_is_away_is_told_with_where_and_how_often():
    client = FlagClient("http://127.0.0.1:1", timeout_seconds=1.0)
    with pytest.raises(FlagsUnreachableError, match=r"http://127\.0\.0\.1:1/v1/flags/f failed 4 times"):
        await client.get("f")
    await client.close()


async def test_a_write_survives_a_restart_of_the_service_and_is_applied_once(service, split):
    client = FlagClient(service.url)
    await client.put("f", split(0), expected_version=None, **WHO)
    service.stop()
    restart = asyncio.get_running_loop().run_in_executor(None, service.start)
    for _ in range(20):
        try:
            record = await client.put("f", split(100), expected_version=1, **WHO)
            break
        except FlagsUnreachableError:
            continue
    await restart
    assert record.version == 2
    await client.close()
    async with httpx.AsyncClient(base_url=service.url) as http:
        assert len((await http.get("/v1/flags/f/history")).json()["changes"]) == 2


class LosesAnswers(httpx.AsyncBaseTransport):
    """A network that delivers every request and loses the first answers."""

    def __init__(self, losses: int) -> None:
        self._inner = httpx.AsyncHTTPTransport()
        self._losses = losses

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        if self._losses:
            self._losses -= 1
            await response.aclose()
            raise httpx.ReadError("connection lost")
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


async def test_a_write_whose_answer_was_lost_is_applied_once(shared_service, key, split):
    client = FlagClient(shared_service.url, transport=LosesAnswers(2))
    record = await client.put(key, split(100), expected_version=None, **WHO)
    assert record.version == 1
    await client.close()
