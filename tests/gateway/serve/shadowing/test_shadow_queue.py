"""The queue of copies alone: what overflows, what breaks, and what is counted of each."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from pitwall_crds.names import Arm, TrialKind
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.telemetry import GatewayTelemetry
from pitwall_gateway.counting.users.rare_trials import FIRST
from pitwall_gateway.counting.users.shares import ShareRule, Shares
from pitwall_gateway.pools.upstream import Call
from pitwall_gateway.serve.shadowing.copies import Copy
from pitwall_gateway.serve.shadowing.shadow import Shadow, ShadowRule
from pitwall_gateway.values.answer import FailureKind, Reply, VariantAnswer, VariantFailure, VariantRefusal
from pitwall_gateway.values.speaker import Party

SERIES = ArmSeries("aks-v2", Arm.SHADOW, run="run-1")


def an_answer(seconds: float = 1.0, tokens: int | None = 100, cache: str = "warm") -> VariantAnswer:
    return VariantAnswer(b"{}", {}, seconds, tokens, cache)


def copy(primary: VariantAnswer | None = None, number: int = 0) -> Copy:
    return Copy(SERIES, str(number).encode(), primary, {"x-pitwall-arm": "stable", "traceparent": "00-1"})


class ShadowPool:
    """The shadow's pods: each call gets the next reply, once the gate is open."""

    def __init__(self, *replies: Reply | Exception) -> None:
        self.replies = list(replies)
        self.calls: list[Call] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.under_way = self.most_at_once = 0

    async def ask(self, call: Call) -> Reply:
        self.calls.append(call)
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            await self.gate.wait()
            await asyncio.sleep(0)
        finally:
            self.under_way -= 1
        reply = self.replies.pop(0) if self.replies else an_answer()
        if isinstance(reply, Exception):
            raise reply
        return reply


class Track:
    """A shadow over a pool, with its metrics."""

    def __init__(self, pool: ShadowPool, rule: ShadowRule | None = None) -> None:
        self.pool = pool
        self.telemetry = GatewayTelemetry()
        self.shadow = Shadow(pool, self.telemetry, rule or ShadowRule())

    def metric(self, name: str, label: str = "") -> float:
        lines = self.telemetry.text().decode().splitlines()
        found = [line for line in lines if line.startswith(f"pitwall_{name}{{") and label in line]
        return sum(float(line.split()[-1]) for line in found)

    async def settle(self, calls: int) -> None:
        """Wait until so many calls were begun and all of them have ended."""
        async with asyncio.timeout(10):
            while len(self.pool.calls) < calls or self.pool.under_way:  # noqa: ASYNC110 - rounds of the loop
                await asyncio.sleep(0)
            for _ in range(5):
                await asyncio.sleep(0)


@pytest.fixture
async def build() -> AsyncIterator:
    tracks: list[Track] = []

    def make(*replies: Reply | Exception, rule: ShadowRule | None = None) -> Track:
        tracks.append(Track(ShadowPool(*replies), rule))
        tracks[-1].shadow.start()
        return tracks[-1]

    yield make
    for track in tracks:
        await track.shadow.close()


async def test_a_full_queue_drops_the_newest_at_once_and_counts_it(build):
    track = build(rule=ShadowRule(queue=2, concurrency=1))
    track.pool.gate.clear()
    kept = [track.shadow.offer(copy(number=number)) for number in range(5)]
    track.pool.gate.set()
    await track.settle(2)

    assert kept == [True, True, False, False, False]
    assert [call.body for call in track.pool.calls] == [b"0", b"1"]
    assert track.metric("shadow_dropped_total") == 3


class StuckPool(ShadowPool):
    """One whose answers to one caller come when they are let go, one after the other."""

    def __init__(self, stuck: str) -> None:
        super().__init__()
        self.stuck, self.let_go = stuck, asyncio.Semaphore(0)

    async def ask(self, call: Call) -> Reply:
        if call.party.caller == self.stuck:
            self.calls.append(call)
            await self.let_go.acquire()
            return an_answer()
        return await super().ask(call)


async def test_eight_users_slow_copies_keep_no_other_callers_from_being_made():
    """Once they held both workers and all places for half an hour."""
    pool = StuckPool("web")
    track = Track(pool)
    track.shadow.start()
    for number in range(96):
        track.shadow.offer(replace(copy(number=number), party=Party("web", f"user-{number % 8}")))
        await asyncio.sleep(0)
    kept = [track.shadow.offer(replace(copy(), party=Party("app", f"user-{number}"))) for number in range(40)]
    pool.let_go.release()
    await track.settle(2 + 32)
    await track.shadow.close()

    assert kept.count(True) == 32
    assert Counter(call.party.caller for call in pool.calls)["app"] == 32
    assert track.metric("shadow_dropped_total") == 96 + 40 - 2 - 64


@pytest.mark.parametrize(
    ("took", "may_take"),
    [
        pytest.param(0.01, 40, id="as long as the variant has of a user's question: it may be the first there"),
        pytest.param(15.0, 45, id="three times as long as the user waited"),
        pytest.param(39.0, 60, id="never longer than the usual limit"),
    ],
)
async def test_a_copy_has_a_small_multiple_of_the_time_of_its_users_answer(build, took, may_take):
    track = build()
    began = time.monotonic()
    track.shadow.offer(replace(copy(an_answer(took)), seconds=took))
    await track.settle(1)

    assert began + may_take <= track.pool.calls[0].ends <= time.monotonic() + may_take


async def test_no_more_copies_are_under_way_than_the_rule_allows(build):
    track = build(rule=ShadowRule(queue=64, concurrency=3))
    for number in range(20):
        track.shadow.offer(copy(number=number))
    await track.settle(20)

    assert track.pool.most_at_once == 3


async def test_a_copy_is_sent_as_a_shadow_whatever_arm_was_asked_before(build):
    track = build()
    track.shadow.offer(copy())
    await track.settle(1)

    (call,) = track.pool.calls
    assert (call.variant, call.arm) == ("aks-v2", Arm.SHADOW)
    assert call.headers == {"x-pitwall-arm": "shadow", "traceparent": "00-1"}


@pytest.mark.parametrize(
    ("reply", "ok", "error"),
    [
        pytest.param(an_answer(), 1, 0, id="an answer"),
        pytest.param(VariantRefusal(400, "no", "refused"), 0, 1, id="a refusal"),
        pytest.param(VariantFailure(FailureKind.TIMEOUT, "late"), 0, 1, id="a failure"),
    ],
)
async def test_each_copy_is_a_query_of_the_shadow(build, reply, ok, error):
    track = build(reply)
    track.shadow.offer(copy(an_answer()))
    await track.settle(1)

    for family in ("queries_total", "shadow_pairs_total", "evidence_queries_total", "evidence_pairs_total"):
        counted = track.metric(family, 'outcome="ok"'), track.metric(family, 'outcome="error"')
        assert counted == (ok, error), family
    assert track.metric("shadow_latency_ratio_count") == ok


async def test_a_copy_is_evidence_of_the_run_that_it_carries_and_of_no_other(build):
    track = build()
    track.shadow.offer(copy(an_answer()))
    track.shadow.offer(replace(copy(an_answer()), series=replace(SERIES, run="")))
    await track.settle(2)
    labels = 'sampler_variant="aks-v2",arm="shadow",run="run-1"'

    assert track.metric("shadow_pairs_total") == 2
    assert track.metric("evidence_pairs_total") == 1
    assert f'pitwall_evidence_pairs_total{{{labels},outcome="ok"}} 1' in track.telemetry.text().decode()


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(an_answer(tokens=200), id="larger"),
        pytest.param(an_answer(3.0), id="slower"),
        pytest.param(VariantFailure(FailureKind.TIMEOUT, "late"), id="failed"),
    ],
)
async def test_copies_that_one_user_has_waiting_at_once_are_no_more_evidence_than_one_by_one(reply):
    """All ten were counted when they came, before any had shown what nobody else's does."""
    track = Track(ShadowPool(*[an_answer()] * 30, *[reply] * 10))
    track.telemetry = GatewayTelemetry(shares=Shares(ShareRule(user=0.05), lambda _: 1.0))
    track.shadow = Shadow(track.pool, track.telemetry, ShadowRule())
    for number, user in enumerate([*(f"user-{number}" for number in range(30)), *["odd"] * 10]):
        party = Party("web", user)
        counted = track.telemetry.weighed(SERIES, TrialKind.COPY, party)
        track.shadow.offer(replace(copy(an_answer(), number), series=counted, party=party))
    track.shadow.start()
    await track.settle(30 + FIRST)
    await track.shadow.close()

    assert len(track.pool.calls) == 30 + FIRST
    assert track.metric("evidence_pairs_total") == 30 + FIRST
    assert track.metric("capped_trials_total", 'reason="user"') == 10 - FIRST


@pytest.mark.parametrize(
    ("primary", "shadow", "latency", "tokens"),
    [
        pytest.param(an_answer(2.0, 100), an_answer(1.0, 150), 0.5, 1.5, id="both are told"),
        pytest.param(an_answer(2.0, None), an_answer(1.0, 150), 0.5, 0.0, id="the primary tells no tokens"),
        pytest.param(an_answer(2.0, 0), an_answer(1.0, 150), 0.5, 0.0, id="the primary took no tokens"),
        pytest.param(an_answer(2.0, 100), an_answer(1.0, None), 0.5, 0.0, id="the shadow tells no tokens"),
        pytest.param(an_answer(2.0, cache="cold"), an_answer(1.0), 0.0, 1.0, id="the primary filled the cache"),
    ],
)
async def test_the_ratios_are_those_that_both_sides_allow(build, primary, shadow, latency, tokens):
    track = build(shadow)
    track.shadow.offer(copy(primary))
    await track.settle(1)

    assert track.metric("shadow_latency_ratio_sum") == pytest.approx(latency)
    assert track.metric("shadow_tokens_ratio_sum") == pytest.approx(tokens)


async def test_a_primary_that_took_no_time_is_no_division_by_zero(build):
    track = build(an_answer(0.5))
    track.shadow.offer(copy(an_answer(0.0)))
    await track.settle(1)

    assert track.metric("shadow_latency_ratio_count") == 1


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(RuntimeError("a fault of ours"), id="a fault of ours"),
        pytest.param(an_answer(tokens=10**400), id="more tokens than a number holds"),
    ],
)
async def test_a_copy_that_breaks_ends_no_worker(build, fault, caplog):
    track = build(fault, rule=ShadowRule(concurrency=1))
    for number in range(3):
        track.shadow.offer(copy(an_answer(tokens=1), number))
    await track.settle(3)

    assert caplog.text.count("shadow copy for aks-v2") == 1
    assert track.metric("shadow_pairs_total") >= 2


async def test_closing_gives_up_what_waits_and_what_is_under_way():
    track = Track(ShadowPool(), ShadowRule(queue=4, concurrency=1))
    track.shadow.start()
    track.pool.gate.clear()
    for number in range(3):
        track.shadow.offer(copy(an_answer(), number))
    while not track.pool.calls:  # noqa: ASYNC110 - a few rounds of the loop
        await asyncio.sleep(0)
    await track.shadow.close()
    await track.shadow.close()

    assert track.pool.under_way == 0
    assert track.metric("shadow_pairs_total") == 0
