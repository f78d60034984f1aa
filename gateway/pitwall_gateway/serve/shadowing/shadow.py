"""Sends copies of answered questions to a shadow variant and compares the two answers, without delaying any user."""

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Final

from pitwall_crds.host.lasting import lasting
from pitwall_crds.host.logs import fields
from pitwall_crds.names import Arm, CacheResult, Header, Outcome, TrialKind
from pitwall_gateway.counting.tally import End
from pitwall_gateway.counting.telemetry import GatewayTelemetry
from pitwall_gateway.pools.circuits import Answerer
from pitwall_gateway.pools.upstream import Call, CallLimits
from pitwall_gateway.serve.answering.excuses import Excuses
from pitwall_gateway.serve.answering.relay import FIRST_PART
from pitwall_gateway.serve.answering.sparing import Sparing
from pitwall_gateway.serve.shadowing.copies import Copy, CopyQueue
from pitwall_gateway.values.answer import Reply, VariantAnswer, VariantFailure, blames_video, had_less_to_do

log = logging.getLogger(__name__)


PATIENCE: Final = 3
"""Times as long as its user's answer took may a copy take, where that is more than a user's question has."""


MISSING: Final = frozenset({End.UNMEASURED, End.EXCUSED})
"""What copies are no pairs of."""


@dataclass(frozen=True, slots=True)
class ShadowRule:
    """How many copies wait, and how many are asked at once."""

    queue: int = 64
    concurrency: int = 2


class Shadow:
    """A few workers of a queue in which callers and their users take turns. Answers are measured and thrown away."""

    def __init__(
        self, upstream: Answerer, telemetry: GatewayTelemetry, rule: ShadowRule, limits: CallLimits | None = None
    ) -> None:
        self._upstream = upstream
        self._telemetry = telemetry
        self._rule = rule
        self._usual_seconds = (limits or CallLimits()).answer_seconds
        self._queue = CopyQueue(rule.queue)
        self._excuses = Excuses()
        self._sparing = Sparing()
        self._changed = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to work the queue; needs a running event loop."""
        self._workers = [
            asyncio.create_task(lasting("a worker of copies", self._work)) for _ in range(self._rule.concurrency)
        ]

    async def close(self) -> None:
        """Stop at once: copies under way and waiting are given up, uncounted."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._workers = []

    def offer(self, copy: Copy) -> bool:
        """Queue a copy; where all places are taken, it or that of somebody who has more of them is dropped and counted.
        Returns at once."""
        dropped = self._queue.put(copy)
        if dropped is not None:
            self._telemetry.shadow_dropped(dropped.series)
        self._changed.set()
        return dropped is not copy

    async def _work(self) -> None:
        while True:
            copy = await self._next()
            started = time.monotonic()
            try:
                # It was weighed when it came, and its party's copies before it may have shown since what few show.
                if self._telemetry.still_weighed(copy.series, TrialKind.COPY, copy.party):
                    await self._ask(copy)
            except Exception:  # a worker outlives any single copy
                log.exception("shadow copy for %s", copy.series.variant)
            finally:
                self._queue.ended(copy, time.monotonic() - started)
                self._changed.set()

    async def _next(self) -> Copy:
        while (copy := self._queue.take()) is None:
            self._changed.clear()
            await self._changed.wait()
        return copy

    def _seconds_for(self, copy: Copy) -> float:
        """What the copy may take. It has at least what its variant would have of a user's question: it may be the
        first about its film there, which has to be fetched and prepared."""
        return min(self._usual_seconds, max(self._usual_seconds * FIRST_PART, PATIENCE * copy.seconds))

    async def _ask(self, copy: Copy) -> None:
        series, headers = copy.series, {**copy.headers, Header.ARM: Arm.SHADOW}
        started = time.monotonic()
        waiting, end = self._telemetry.evidence.copied(series), End.ABANDONED
        self._excuses.asked(series)
        try:
            ends = started + self._seconds_for(copy)
            reply = await self._upstream.ask(Call(series.variant, series.arm, copy.body, headers, copy.party, ends))
            answer = reply if isinstance(reply, VariantAnswer) else None
            if isinstance(reply, VariantFailure):
                answer_id = headers.get(Header.ANSWER_ID, "")
                log.warning(
                    "copy failed", extra=fields(answer_id=answer_id, variant=series.variant, cause=reply.detail)
                )
            end = self._end(reply, copy)
            compared = copy.primary is not None and end not in MISSING and not _other_video(reply, copy.primary)
        finally:
            self._telemetry.closed(waiting, series, TrialKind.COPY, copy.party, end, time.monotonic() - started)
        if answer is None:
            self._telemetry.failed(series)
        else:
            self._telemetry.answered(series, answer.seconds)
            self._telemetry.measured(series, TrialKind.COPY, copy.party, answer)
        if copy.primary is not None and compared:
            self._telemetry.shadow_pair(series, Outcome.OK if answer else Outcome.ERROR)
        if copy.primary is not None and compared and answer is not None:
            self._compare(copy, answer, copy.primary)

    def _end(self, reply: Reply, copy: Copy) -> End:
        """How a copy ended. Of a video that its server did not give to both alike, or that only stable had prepared, as
        its variant says, nothing follows; beyond a part of the copies they are known to be missing."""
        primary = copy.primary
        if isinstance(reply, VariantAnswer):
            return End.ANSWERED
        excusable = blames_video(reply, primary) if primary else reply.video == ""
        if primary and isinstance(reply, VariantFailure) and had_less_to_do(reply, primary):
            excusable |= self._sparing.is_new(copy.series.variant, reply.video or "")
        if not excusable:
            return End.FAILED
        return End.UNMEASURED if self._excuses.takes(copy.series) else End.EXCUSED

    def _compare(self, copy: Copy, shadow: VariantAnswer, primary: VariantAnswer) -> None:
        if not paid_for(primary, shadow):
            ratio = shadow.seconds / max(primary.seconds, 1e-6)
            self._telemetry.shadow_latency_ratio(copy.series, ratio, copy.party)
        if primary.tokens and shadow.tokens:
            self._telemetry.shadow_tokens_ratio(copy.series, shadow.tokens / primary.tokens, copy.party)


def _other_video(reply: Reply, primary: VariantAnswer) -> bool:
    """Whether both were answered, about different videos: their server gave another one the second time."""
    return isinstance(reply, VariantAnswer) and bool(reply.video and primary.video) and reply.video != primary.video


def paid_for(primary: VariantAnswer, shadow: VariantAnswer) -> bool:
    """True if the primary filled the cache that made the shadow fast: such a latency pair would flatter the shadow."""
    return primary.cache == CacheResult.COLD and shadow.cache == CacheResult.WARM
