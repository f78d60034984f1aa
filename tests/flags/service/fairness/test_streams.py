"""What followers may hold of the service, each token for itself."""

import asyncio
import contextlib

import pytest

from pitwall_flags.errors import TooManyStreamsError
from pitwall_flags.flag.record import Contents, FlagRecord
from pitwall_flags.service import publish
from pitwall_flags.service.auth import ALL_FLAGS, AccessTokens
from pitwall_flags.service.fairness.streams import MIB, Follower, StreamLimits, Streams
from pitwall_flags.service.publish import Publisher
from pitwall_flags.service.sync import SyncService


async def test_what_waits_unread_is_bounded_for_each_token():
    streams = Streams(StreamLimits(token_bytes=2 * MIB))
    mine, ours = frozenset({"a."}), Follower("gateway", ALL_FLAGS)
    one, other = Follower("web", mine), Follower("mobile", mine)
    async with streams.room(one, MIB), streams.room(one, MIB):
        assert not streams.fits(one, 1)
        assert streams.fits(other, 9 * MIB), "one message goes, whatever its size"
        waiting = asyncio.create_task(streams.room(one, 1).__aenter__())
        await asyncio.sleep(0)
        assert not waiting.done()
        async with streams.room(ours, MIB):
            assert streams.fits(ours, 7 * MIB), "a gateway's token has more"
            assert not streams.fits(ours, 8 * MIB)
    async with asyncio.timeout(30):
        await waiting


def test_streams_of_one_token_shut_out_no_other_token_for_the_same_flags():
    streams, mine = Streams(StreamLimits(of_token=2, of_all=8)), frozenset({"sampler.variant"})
    with contextlib.ExitStack() as opened:
        for holder in ("web", "gateway", "mobile"):
            for _ in range(2):
                opened.enter_context(streams.admitted(Follower(holder, mine)))
            with pytest.raises(TooManyStreamsError, match="2 streams of this token"):
                opened.enter_context(streams.admitted(Follower(holder, mine)))
        with pytest.raises(TooManyStreamsError, match="6 streams are open, which is the limit of all flag sets"):
            opened.enter_context(streams.admitted(Follower("film", frozenset({"film."}))))
        for _ in range(2):
            opened.enter_context(streams.admitted(Follower("operator", ALL_FLAGS)))
    with streams.admitted(Follower("film", frozenset({"film."}))):
        pass


async def test_streams_of_one_token_that_select_otherwise_each_let_others_be_served_in_between():
    flags = tuple(FlagRecord(f"a{number}.x", {"state": "ENABLED", "variants": {"a": 1}}, 1) for number in range(40))
    publisher = Publisher(None, "tests")
    publisher.snapshot = publish._first(Contents(flags, 1, 0), "tests")
    service, served = SyncService(publisher, AccessTokens()), []

    async def others():
        while True:
            served.append(1)
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    whose = Follower("web", ALL_FLAGS)
    await asyncio.gather(*(service._encoded(f"a{number}", whose) for number in range(40)))
    beside.cancel()
    assert len(served) >= 40
