"""Tells the story of a finished rollout, with the numbers that its users saw. Pure: no clock, chance or I/O."""

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence

from examples.demo.users import DemoExchange

from pitwall_crds.names import EventReason
from pitwall_crds.rollout.rollout import Rollout
from pitwall_operator.values import timestamps


def timeline(rollout: Rollout, exchanges: Sequence[DemoExchange], started: float) -> Iterator[str]:
    """What was decided, when, on what evidence; and whom the bad variant reached. `started` is epoch seconds."""
    yield "\nTimeline (seconds since the start)"
    for entry in rollout.status.history:
        yield f"  {timestamps.to_epoch(entry.time) - started:7.1f}  {entry.reason}: {entry.message}"
    yield "\nWhat users saw"
    yield from _per_variant(exchanges)
    yield from _exposure(rollout, exchanges, started)


def _per_variant(exchanges: Sequence[DemoExchange]) -> Iterator[str]:
    for variant in sorted({e.reply.variant for e in exchanges if e.reply.variant}):
        own = [e for e in exchanges if e.reply.variant == variant]
        judged = [e.satisfied for e in own if e.satisfied is not None]
        latency = sorted(e.reply.latency_seconds for e in own)
        p50, p99 = statistics.median(latency), latency[min(len(latency) - 1, int(0.99 * len(latency)))]
        satisfied = f"{100 * sum(judged) / len(judged):.0f}% satisfied" if judged else "nothing judged"
        yield (
            f"  {variant:12} {len(own):6} answers to {len({e.user for e in own}):5} users, "
            f"p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, {satisfied}"
        )
    asked = [e for e in exchanges if e.reply.was_asked]
    failed = Counter(e.reply.error for e in asked if e.reply.error)
    yield f"  {failed.total()} of {len(asked)} questions failed"
    yield from (f"    {count} times: {error}" for error, count in failed.most_common(3))
    if kept := len(exchanges) - len(asked):
        yield f"  {kept} more were not asked, since as many as this machine can bear waited for an answer"


def _exposure(rollout: Rollout, exchanges: Sequence[DemoExchange], started: float) -> Iterator[str]:
    off = next((h for h in reversed(rollout.status.history) if h.reason == EventReason.FLAGGED_OFF), None)
    if off is None:
        return
    reached = [e for e in exchanges if e.reply.variant == off.variant]
    yield f"\n{off.variant}"
    if not reached:
        yield "  answered nobody before it was flagged off"
        return
    onset = min(e.asked_at_seconds for e in reached)
    decided = timestamps.to_epoch(off.time)
    last = max(e.asked_at_seconds for e in reached)
    yield f"  its first user asked at {onset - started:.1f} s"
    yield f"  it was flagged off at {decided - started:.1f} s, {decided - onset:.1f} s after that onset"
    yield f"  it had answered {len({e.user for e in reached})} users ({len(reached)} questions)"
    yield f"  the last question that reached it was asked {max(0.0, last - decided):.2f} s after the decision"
