"""Runs the simulated users from the command line and prints one line per variant and arm."""

import argparse
import asyncio
import collections
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from examples.demo.users import DemoExchange, drive


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """What the users of one (variant, arm) saw."""

    variant: str
    arm: str
    answers: int
    p50_seconds: float
    p99_seconds: float
    satisfied_share: float


def summarize(exchanges: Iterable[DemoExchange]) -> tuple[ArmSummary, ...]:
    """One summary per variant and arm, of the questions that got an answer."""
    by_arm: dict[tuple[str, str], list[DemoExchange]] = collections.defaultdict(list)
    for exchange in exchanges:
        if not exchange.reply.error:
            by_arm[exchange.reply.variant, exchange.reply.arm].append(exchange)
    return tuple(_summary(variant, arm, answered) for (variant, arm), answered in sorted(by_arm.items()))


def _summary(variant: str, arm: str, answered: Sequence[DemoExchange]) -> ArmSummary:
    """The summary of at least one answer."""
    latencies = sorted(exchange.reply.latency_seconds for exchange in answered)
    satisfied = sum(1 for exchange in answered if exchange.satisfied)
    return ArmSummary(
        variant, arm, len(answered), _quantile(latencies, 0.5), _quantile(latencies, 0.99), satisfied / len(answered)
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


async def _run(
    gateway_url: str, film_uri: str, *, rate: float, seconds: float, seed: int
) -> tuple[list[DemoExchange], collections.Counter[str]]:
    """The exchanges of one run, and the feedback that was not taken."""
    stop, exchanges = asyncio.Event(), list[DemoExchange]()
    asyncio.get_running_loop().call_later(seconds, stop.set)
    lost = await drive(gateway_url, film_uri, rate_per_second=rate, stop=stop, seed=seed, on_answer=exchanges.append)
    return exchanges, lost


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line, runs the users and prints what they saw."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo.users", description=__doc__)
    parser.add_argument("--gateway", required=True, help="e.g. http://127.0.0.1:8080")
    parser.add_argument("--film", required=True, type=Path, help="the film's file, under a media root of the runtimes")
    parser.add_argument("--rate", type=float, default=20.0, help="tasks per second (default 20)")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long users arrive (default 30)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same users and questions")
    given = parser.parse_args(arguments)
    if given.rate <= 0 or given.seconds <= 0:
        parser.error(f"--rate {given.rate} and --seconds {given.seconds} must be greater than 0")
    uri = given.film.resolve().as_uri()
    exchanges, lost = asyncio.run(_run(given.gateway, uri, rate=given.rate, seconds=given.seconds, seed=given.seed))
    _print(exchanges, lost)


def _print(exchanges: Sequence[DemoExchange], lost: collections.Counter[str]) -> None:
    """The table, then what went wrong, by kind."""
    print(f"{'VARIANT':<20} {'ARM':<10} {'ANSWERS':>8} {'P50':>8} {'P99':>8} {'SATISFIED':>10}")
    for row in summarize(exchanges):
        print(
            f"{row.variant:<20} {row.arm:<10} {row.answers:>8} {row.p50_seconds * 1000:>6.0f}ms "
            f"{row.p99_seconds * 1000:>6.0f}ms {row.satisfied_share:>10.1%}"
        )
    print(f"{len(exchanges)} questions, {sum(1 for each in exchanges if each.reply.fallback)} served by fallback")
    for error, times in collections.Counter(each.reply.error for each in exchanges if each.reply.error).most_common(5):
        print(f"{times} x {error}")
    for kind, times in lost.items():
        print(f"{times} feedback posts were not taken: {kind}")
