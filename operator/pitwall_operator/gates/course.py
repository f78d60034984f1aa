"""Follows a gate's evidence through one stage of imagined blocks, until harm is found or the candidate passes.

Pure: no clock, chance or I/O.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from pitwall_crds.rollout.gate import Gate
from pitwall_crds.rollout.rollout import Analysis
from pitwall_operator.evidence.basis.counts import Counts
from pitwall_operator.gates.assessment import StageContext, StageKind
from pitwall_operator.gates.evidence import GateEvidence
from pitwall_operator.gates.roles import BURST, Role, harm_roles, proof_roles

MOST_BLOCKS: Final = 2400
"""After so many, evidence is taken to grow on as it did in the second half of them."""
HORIZON: Final = 300
"""More than this many times as long as that is never."""


class CourseEnding(StrEnum):
    """What became of a candidate in a stage."""

    FOUND = "found"
    PASSED = "passed"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Course:
    """How a stage went for one gate, after how many blocks, and the evidence that goes on to the next."""

    ending: CourseEnding
    blocks: float
    evidence: GateEvidence


@dataclass(frozen=True, slots=True)
class ProofGoal:
    """When a stage ends for a candidate: when harm is proven, or all proofs are there and so many blocks over."""

    proofs: Sequence[Role]
    harms: Sequence[Role] = ()
    least_blocks: float = 0.0

    def passing(self, proven: float | None) -> float | None:
        """When it passes, if everything is proven then."""
        return None if proven is None else max(proven, self.least_blocks)


def acting(gate: Gate, analysis: Analysis, stages: Sequence[StageContext], *, harm: bool) -> GateEvidence:
    """A gate's evidence with only those processes that can decide in these stages: the others take time for nothing."""
    roles = [role for stage in stages for role in proof_roles(gate, analysis, stage)]
    keys = {role.key for role in (*roles, *(harm_roles(gate, analysis) if harm else ()))}
    whole = GateEvidence.start(gate, analysis)
    return replace(whole, processes={key: process for key, process in whole.processes.items() if key in keys})


def follow(evidence: GateEvidence, goal: ProofGoal, blocks: Iterator[Counts], kind: StageKind) -> Course:
    """One stage."""
    proven: float | None = None
    middle = evidence
    for number in range(1, MOST_BLOCKS + 1):
        evidence = evidence.update(next(blocks))
        enough = _trials(evidence, kind) >= evidence.gate.minimum_trials
        if any(_has_crossed(evidence, role) and (enough or role.name == BURST) for role in goal.harms):
            return Course(CourseEnding.FOUND, number, evidence)
        if proven is None and enough and all(_has_crossed(evidence, role) for role in goal.proofs):
            proven = number
        if proven is not None and number >= goal.least_blocks:
            return Course(CourseEnding.PASSED, number, evidence)
        if number == MOST_BLOCKS // 2:
            middle = evidence
    return _later(evidence, middle, goal, proven, kind)


def _later(
    evidence: GateEvidence, middle: GateEvidence, goal: ProofGoal, proven: float | None, kind: StageKind
) -> Course:
    """What comes of evidence that grows on as it did; a `proven` stage only lasts its time."""
    least = evidence.gate.minimum_trials / max(_trials(evidence, kind), 1e-9) * MOST_BLOCKS

    def crossing(role: Role) -> float | None:
        now, before = evidence.processes[role.key], middle.processes[role.key]
        if now.peak_log_e >= role.log_threshold:
            return max(least, MOST_BLOCKS)
        growth = (now.log_e - before.log_e) / (MOST_BLOCKS / 2)
        missing = role.log_threshold - now.log_e
        if growth * MOST_BLOCKS * HORIZON <= missing:
            return None
        return max(least, MOST_BLOCKS + missing / growth)

    found = min((at for role in goal.harms if (at := crossing(role)) is not None), default=None)
    if proven is None:
        times = [crossing(role) for role in goal.proofs]
        known = [at for at in times if at is not None]
        proven = max(known, default=0.0) if len(known) == len(times) else None
    passed = goal.passing(proven)
    if found is not None and (passed is None or found <= passed):
        return Course(CourseEnding.FOUND, found, evidence)
    if passed is not None and passed < float("inf"):
        return Course(CourseEnding.PASSED, passed, evidence)
    return Course(CourseEnding.HELD, 0.0, evidence)


def _has_crossed(evidence: GateEvidence, role: Role) -> bool:
    return evidence.processes[role.key].peak_log_e >= role.log_threshold


def _trials(evidence: GateEvidence, kind: StageKind) -> int:
    return evidence.totals.pairs.total if kind is StageKind.SHADOW else evidence.totals.candidate.trials
