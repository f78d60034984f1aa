"""Differences cumulative counters of a run between blocks, each trial once, however many gateways count and restart.

Counters of a run begin at zero in every process, so what a process shows is what it counted. The cursor remembers what
was counted of each process; of one not seen for an hour it forgets that, so if it comes back it counts from then on.
A process is known by its start too, so its counters never fall: a lower one is an older view of them, as one of two
replicas of Prometheus has it, and counts nothing.
Pure: no clock, chance or I/O.
"""

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, Final, Self

from pitwall_operator.evidence.basis.counts import Abandoned, Counts, EdgeTallies, OfOne, Pairs, Tally
from pitwall_operator.gates.counting.renamed import under_known_names
from pitwall_operator.values.observation import Reading

ENDED_SECONDS: Final = 3600.0
"""A process that was not seen for so long hardly comes back under the same start time: it is remembered by its mark."""
UNDATED: Final = "@0"
"""How the name of a process ends that does not tell when it started: counters that fall may be those of another one."""
ARMS: Final = 4
"""Tallies in a row: control, candidate, stable, objective; further edges have the first three."""
LEFT: Final = 4
"""Behind them the numbers of questions whose callers left,"""
CACHES: Final = 6
"""questions and cold ones of three arms."""
EXCUSED: Final = 2
"""And then, behind what older versions know, those that their variant blames videos' servers for,"""
GROSS: Final = 4
"""and trials and grossly slow ones of control and candidate,"""
ONE: Final = 3
"""and bad trials of one user."""

PLAIN_LENGTH: Final = 32_768
"""A longer cursor is packed: etcd takes objects of up to 1.5 MB, and thousands of gateways may come and go."""
PACKED: Final = "packed"

Row = Sequence[float]


@dataclass(frozen=True, slots=True)
class Cursor:
    """What was counted of each live process by gate and when it was last seen, and marks of those that ended."""

    rows: Mapping[str, Mapping[str, Row]]
    seen: Mapping[str, float]
    ended: tuple[str, ...] = ()

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The cursor as `to_state` left it; what an older version kept is about other counters, so nothing of it."""
        state = _unpacked(state[PACKED]) if PACKED in state else state
        return cls(state.get("rows", {}), state.get("seen", {}), tuple(state.get("ended", ())))

    def to_state(self) -> dict[str, Any]:
        """The cursor as JSON: plain, or packed where many processes would make the status too large to be stored."""
        if not self.rows and not self.ended:
            return {}
        state = {"rows": self.rows, "seen": self.seen, "ended": list(self.ended)}
        text = json.dumps(state, separators=(",", ":"))
        return state if len(text) <= PLAIN_LENGTH else {PACKED: _packed(text)}

    def without(self, kept: frozenset[str]) -> Self:
        """The cursor with the rows of these gates only."""
        rows = {source: {gate: gates[gate] for gate in gates.keys() & kept} for source, gates in self.rows.items()}
        return type(self)(rows, self.seen, self.ended)

    def lacking(self, reading: Reading) -> str:
        """A gateway that has counted, within the last hour that was read, and cannot be read now although it is there;
        empty if there is none."""
        absent = (name for name in self.rows if name not in reading.sources)
        pods = ("/".join(name.split("/")[:2]) for name in absent if reading.down)
        return next((pod for pod in pods if pod in reading.down), "")

    def advance(self, now: float, rows: Mapping[str, Mapping[str, Counts]]) -> tuple[Self, dict[str, Counts]]:
        """The next cursor, and each gate's counts since this one, summed over processes.

        A gate that began to count in mid-run is not given what a process that is known had counted before.

        Args:
            now: epoch seconds.
            rows: counts now, by process and gate.
        """
        kept, seen = dict(self.rows), dict(self.seen)
        grown: dict[str, Counts] = {}
        rows = under_known_names(rows, self.rows)
        for identity, gates in rows.items():
            before = {} if _mark(identity) in self.ended else kept.get(identity)
            counted = dict(before or {})
            for gate, counts in gates.items():
                row = _flatten(counts)
                start = before.get(gate, row) if before is not None else _nothing(row)
                if identity.endswith(UNDATED) and _fell(row, start):
                    start = _nothing(row)
                new = _unflatten(_growth(row, start))
                counted[gate] = _plus(start, _flatten(new)) if len(start) == len(row) else row
                grown[gate] = grown.get(gate, Counts()) + new
            kept[identity], seen[identity] = counted, now
        gone = [identity for identity, at in seen.items() if now - at > ENDED_SECONDS]
        for identity in gone:
            kept.pop(identity, None)
            seen.pop(identity)
        back = set(map(_mark, rows)) & set(self.ended)
        ended = (mark for mark in self.ended if mark not in back)
        return type(self)(kept, seen, (*ended, *map(_mark, gone))), grown


def _packed(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode())).decode()


def _unpacked(text: str) -> Mapping[str, Any]:
    state: Mapping[str, Any] = json.loads(zlib.decompress(base64.b64decode(text)))
    return state


def _mark(identity: str) -> str:
    """A short name for a process that ended; two of a thousand share one once in ten million rollouts."""
    return hashlib.sha256(identity.encode()).hexdigest()[:12]


def _flatten(counts: Counts) -> list[float]:
    arms = (counts.control, counts.candidate, counts.stable, counts.objective)
    edges = (tally for at in counts.edges for tally in (at.control, at.candidate, at.stable))
    pairs, caches = counts.pairs, counts.caches
    return [
        *(value for arm in arms for value in (arm.trials, arm.bad, arm.total)),
        pairs.total, pairs.worse, pairs.better,
        *(value for tally in edges for value in (tally.trials, tally.bad)),
        *counts.abandoned.row[:LEFT],
        *(value for arm in (caches.control, caches.candidate, caches.stable) for value in (arm.trials, arm.bad)),
        *counts.abandoned.row[LEFT:],
        *(value for arm in (counts.gross.control, counts.gross.candidate) for value in (arm.trials, arm.bad)),
        *counts.of_one.row,
    ]  # fmt: skip


def _nothing(row: Row) -> Row:
    return [0.0] * len(row)


def _fell(now: Row, before: Row) -> bool:
    return any(value < earlier for value, earlier in zip(now, before, strict=False))


def _growth(now: Row, counted: Row) -> list[float]:
    """What is new since what was counted; a shorter row knew less."""
    pairs = zip_longest(now, counted[: len(now)], fillvalue=0.0)
    return [max(value - earlier, 0.0) for value, earlier in pairs]


def _plus(counted: Row, new: Row) -> list[float]:
    """What is counted now, without bad trials that were shown before their trials: they count with these."""
    return [earlier + value for earlier, value in zip(counted, new, strict=True)]


def _unflatten(row: Row) -> Counts:
    control, candidate, stable, objective = (_tally(row[at], row[at + 1], row[at + 2]) for at in range(0, 3 * ARMS, 3))
    first = 3 * ARMS
    total, worse, better = (round(value) for value in row[first : first + 3])
    one = len(row) - ONE
    slow = one - GROSS
    excused = slow - EXCUSED
    cold = excused - CACHES
    last = cold - LEFT
    rest = [_tally(row[at], row[at + 1]) for at in range(first + 3, last, 2)]
    abandoned = Abandoned(*(round(value) for value in (*row[last:cold], *row[excused:slow])))
    caches = EdgeTallies(*(_tally(row[at], row[at + 1]) for at in range(cold, excused, 2)))
    edges = tuple(EdgeTallies(*rest[at : at + 3]) for at in range(0, len(rest), 3))
    gross = EdgeTallies(*(_tally(row[at], row[at + 1]) for at in range(slow, one, 2)))
    known = Counts(control, candidate, _pairs(total, worse, better), stable, objective, edges=edges)
    of_one = OfOne(*map(round, row[one:]))
    return replace(known, abandoned=abandoned, caches=caches, gross=gross, of_one=of_one)


def _tally(trials: float, bad: float, total: float = 0.0) -> Tally:
    """Trials and bad ones are read as two series; a scrape between their increments must not show more bad than all."""
    return Tally(round(trials), min(round(bad), round(trials)), total)


def _pairs(total: int, worse: int, better: int) -> Pairs:
    return Pairs(total, min(worse, total), min(better, total - min(worse, total)))
