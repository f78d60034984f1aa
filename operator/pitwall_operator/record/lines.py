"""Writes and reads the decision record: a JSON line per run, block and decision, enough to recompute every verdict."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pitwall_crds.host.files import open_regular, open_to_append
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.rollout.status import GateStatus, RolloutStatus
from pitwall_operator.decision.decide import Decision
from pitwall_operator.decision.weighing.closing import run_of
from pitwall_operator.evidence.basis.counts import Counts
from pitwall_operator.gates.counting import counters, latency_thresholds
from pitwall_operator.gates.rule import FORMAT
from pitwall_operator.values import timestamps
from pitwall_operator.values.effects import Announce, EffectFailure
from pitwall_operator.values.stages import stage_name

Line = dict[str, Any]


def run_line(rollout: Rollout, status: RolloutStatus) -> Line:
    """The head of a run: what is compared with what, by which gates."""
    return {
        "kind": "run",
        "format": FORMAT,
        "time": status.run_start_time,
        "rollout": rollout.metadata.name,
        "run": status.run_id,
        "stable": status.stable_variant,
        "candidate": status.candidate_variant,
        "candidate_revision": status.candidate_revision,
        "analysis": rollout.spec.analysis.model_dump(mode="json", by_alias=True),
        "stages": [stage.model_dump(mode="json", by_alias=True) for stage in rollout.spec.stages],
    }


def _queries(rollout: Rollout, status: RolloutStatus, gates: Sequence[GateStatus]) -> Mapping[str, Sequence[str]]:
    known, run = {gate.name: gate.tail for gate in gates}, run_of(status)
    return {
        gate.name: list(counters.queries(gate, latency_thresholds.edges_of(known.get(gate.name)), run))
        for gate in rollout.spec.analysis.gates
    }


def _gates(decision: Decision) -> Mapping[str, Line]:
    return {
        gate.name: {
            "verdict": gate.verdict,
            "message": gate.message,
            "begun_after": gate.begun_after,
            "proof_after": gate.proof_after,
            "tail": gate.tail.model_dump(mode="json") if gate.tail else None,
            "evidence": [process.model_dump(mode="json", by_alias=True) for process in gate.evidence],
        }
        for gate in decision.status.gates
    }


def _counted(counts: Counts) -> Line:
    """Counts as JSON reads them back."""
    edges, spreads = ([asdict(at) for at in each] for each in (counts.edges, counts.spreads))
    return {**asdict(counts), "edges": edges, "spreads": spreads}


def _users(decision: Decision) -> Line | None:
    """This block's new users, and what they say about the split."""
    block, ratio = decision.judgement.users, decision.judgement.sample_ratio
    return {**block.to_state(), "evidence": ratio.told()} if block else None


def block_line(rollout: Rollout, before: RolloutStatus, decision: Decision) -> Line:
    """One block's counts, the rules in force, and the verdicts after it. `after` is the block before: of two lines with
    the same `after` the later holds, which is what a restart between effects and status leaves behind."""
    spec, counts, stage = rollout.spec, decision.judgement.counts, decision.judgement.stage
    assert stage is not None
    return {
        "kind": "block",
        "time": decision.status.last_block_time,
        "after": before.last_block_time,
        "rollout": rollout.metadata.name,
        "run": before.run_id,
        "stage": {
            "name": stage_name(spec, decision.judgement.stage_index),
            "kind": stage.kind,
            "canary_index": stage.canary_index,
        },
        "analysis": spec.analysis.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        "queries": _queries(rollout, before, decision.status.gates),
        "block_seconds": decision.status.block_seconds,
        "counts": {gate: _counted(block) for gate, block in counts.items()},
        "users": _users(decision),
        "unmeasured": decision.judgement.unmeasured,
        "gates": _gates(decision),
        "verdict": decision.judgement.verdict,
        "reason": decision.status.reason,
    }


def decision_line(rollout: Rollout, decision: Decision, failures: Sequence[EffectFailure], now: float) -> Line:
    """What was done, and what could not be."""
    return {
        "kind": "decision",
        "time": timestamps.to_text(now),
        "rollout": rollout.metadata.name,
        "run": decision.status.run_id,
        "phase": decision.status.phase,
        "reason": decision.status.reason,
        "effects": [str(effect) for effect in decision.effects if not isinstance(effect, Announce)],
        "announced": [str(effect) for effect in decision.effects if isinstance(effect, Announce)],
        "failures": [str(failure) for failure in failures],
    }


def _off_lines(rollout: Rollout, decision: Decision) -> Iterator[Line]:
    """What was taken off: a Rollout that is made anew learns it from here."""
    for entry in decision.status.flagged_off:
        if entry not in rollout.status.flagged_off:
            told = entry.model_dump(mode="json", by_alias=True)
            yield {"kind": "off", "time": entry.time, "rollout": rollout.metadata.name, "entry": told}


def _asked_lines(rollout: Rollout, decision: Decision) -> Iterator[Line]:
    """The request that was carried out, or told to change nothing: a Rollout made anew carries it out no more."""
    action, after = rollout.spec.action, decision.status
    if action is not None and action.id == after.last_action_id != rollout.status.last_action_id:
        told = action.model_dump(mode="json", by_alias=True)
        yield {"kind": "asked", "time": after.history[-1].time, "rollout": rollout.metadata.name, "action": told}


def evidence_lines(rollout: Rollout, decision: Decision) -> Iterator[Line]:
    """What a reconciliation records before it does anything: the run that began, the block that was closed, what was
    taken off, what a person asked for. A line that a crash leaves behind is repeated without harm."""
    before = rollout.status
    if decision.status.run_id != before.run_id and decision.status.candidate_variant:
        yield run_line(rollout, decision.status)
        before = decision.status.model_copy(update={"last_block_time": ""})
    if decision.judgement.closed:
        yield block_line(rollout, before, decision)
    yield from _off_lines(rollout, decision)
    yield from _asked_lines(rollout, decision)


class RecordFile:
    """A rollout's record file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, new: Sequence[Line]) -> None:
        """Add lines and wait until they are on the disk."""
        if not new:
            return
        with open_to_append(self.path) as output:
            if output.tell() and not self._ends_whole():
                output.write(b"\n")
            output.write(b"".join(json.dumps(line).encode() + b"\n" for line in new))
            output.flush()
            os.fsync(output.fileno())

    def _ends_whole(self) -> bool:
        with self.path.open("rb") as existing:
            existing.seek(-1, os.SEEK_END)
            return existing.read(1) == b"\n"

    def read(self) -> Iterator[Line]:
        """Every whole line; what a crash or a power cut left of one, and what is no line of ours, is passed over."""
        try:
            with open_regular(self.path) as file:
                content = file.read().decode(errors="replace")
        except FileNotFoundError:
            return
        for text in content.splitlines():
            try:
                line = json.loads(text)
            except (ValueError, RecursionError):  # also a number of thousands of digits
                continue
            if isinstance(line, dict):
                yield line
