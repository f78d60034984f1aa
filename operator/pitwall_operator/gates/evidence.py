"""One gate's evidence as a value: counts of a block come in, a verdict can be asked at any moment."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from pitwall_crds.gate import Dependence, Gate
from pitwall_crds.rollout import Analysis, Verdict
from pitwall_operator.evidence.counts import NOTHING, Counts, Pairs, Tally
from pitwall_operator.evidence.process import Process, State
from pitwall_operator.gates.assessment import Assessment, ProcessReading, StageContext, StageKind
from pitwall_operator.gates.budget import harm_log_threshold, promotion_log_threshold
from pitwall_operator.gates.forecast import missing_trials
from pitwall_operator.gates.plan import (
    PAIRED_HARM,
    PAIRED_NON_INFERIORITY,
    fresh_processes,
    harm_key,
    non_inferiority_key,
)
from pitwall_operator.gates.words import noun, sentence


@dataclass(frozen=True, slots=True)
class GateEvidence:
    """All processes of one gate. Feed every block once; evidence is never reset, whatever stage comes next."""

    gate: Gate
    analysis: Analysis
    processes: Mapping[str, Process]
    totals: Counts = NOTHING

    @classmethod
    def start(cls, gate: Gate, analysis: Analysis) -> Self:
        """Evidence before the first block."""
        return cls(gate, analysis, fresh_processes(gate))

    def update(self, counts: Counts) -> Self:
        """Evidence after one more block."""
        processes = {key: process.update(counts) for key, process in self.processes.items()}
        return replace(self, processes=processes, totals=self.totals + counts)

    def assess(self, stage: StageContext) -> Assessment:
        """What the evidence says now. Harm wins over everything and stays."""
        harm, proof, aside = self._harm(), self._proof(stage), self._aside(stage)
        verdict, deciding = self._verdict(stage, harm, proof)
        missing = missing_trials(self._proof_process(stage), proof.log_threshold, self.totals)
        message = sentence(self.gate, verdict, stage.kind, self.totals, deciding)
        if verdict is Verdict.INCONCLUSIVE:
            message += self._need(stage, missing)
        return Assessment(verdict, message, (*harm, proof, *aside), missing)

    def _verdict(
        self, stage: StageContext, harm: tuple[ProcessReading, ...], proof: ProcessReading
    ) -> tuple[Verdict, ProcessReading]:
        trials = self._trials(stage)
        proven = [reading for reading in harm if self._has_crossed(reading)]
        if not trials and not proven:
            return Verdict.UNMEASURED, proof
        if trials < self.gate.minimum_trials:
            return Verdict.INCONCLUSIVE, proof
        if proven:
            return Verdict.HARMFUL, proven[0]
        if self._proof_process(stage).peak_log_e >= proof.log_threshold:
            return Verdict.NON_INFERIOR, proof
        return Verdict.INCONCLUSIVE, proof

    def _has_crossed(self, reading: ProcessReading) -> bool:
        return self._process(reading.name).peak_log_e >= reading.log_threshold

    def _process(self, name: str) -> Process:
        return self.processes[harm_key(self.gate, self.gate.dependence) if name == "harm" else name]

    def _harm(self) -> tuple[ProcessReading, ...]:
        """Every way in which harm can be proven."""
        return tuple(
            ProcessReading(
                name, self._process(name).log_e, harm_log_threshold(self.gate, self.analysis, name), acting=True
            )
            for name in ("harm", PAIRED_HARM)
        )

    def _proof_process(self, stage: StageContext, dependence: Dependence | None = None) -> Process:
        if stage.kind is StageKind.SHADOW:
            return self.processes[PAIRED_NON_INFERIORITY]
        key = non_inferiority_key(self.gate, dependence or self.gate.dependence, stage.canary_index)
        return self.processes[key]

    def _proof(self, stage: StageContext) -> ProcessReading:
        """The process that would let the candidate pass this stage."""
        name = PAIRED_NON_INFERIORITY if stage.kind is StageKind.SHADOW else "non-inferiority"
        return ProcessReading(
            name, self._proof_process(stage).log_e, promotion_log_threshold(self.analysis), acting=True
        )

    def _aside(self, stage: StageContext) -> tuple[ProcessReading, ...]:
        """What the split would say under the other assumption about dependence; shown, never acting."""
        other = next(value for value in Dependence if value is not self.gate.dependence)
        if stage.kind is StageKind.SHADOW or self.gate.mean:
            return ()
        threshold = harm_log_threshold(self.gate, self.analysis, "harm")
        harm = self.processes[harm_key(self.gate, other)]
        proof = self._proof_process(stage, other)
        return (
            ProcessReading(f"harm-{other.lower()}", harm.log_e, threshold, acting=False),
            ProcessReading(
                f"non-inferiority-{other.lower()}", proof.log_e, promotion_log_threshold(self.analysis), acting=False
            ),
        )

    def _trials(self, stage: StageContext) -> int:
        return self.totals.pairs.total if stage.kind is StageKind.SHADOW else self.totals.candidate.trials

    def _need(self, stage: StageContext, missing: int | None) -> str:
        """How much more must be seen, in words."""
        short = max(self.gate.minimum_trials - self._trials(stage), missing or 0)
        if missing is None and not short:
            return ", not approaching proof"
        return f", about {short} more {noun(self.gate)} needed"

    def to_state(self) -> State:
        """The few numbers that the Rollout's status keeps."""
        seen = self.totals
        arms = [[arm.trials, arm.bad, repr(arm.total)] for arm in (seen.control, seen.candidate)]
        pairs = [seen.pairs.total, seen.pairs.worse, seen.pairs.better]
        return {
            "totals": {"arms": arms, "pairs": pairs},
            "processes": {key: process.to_state() for key, process in self.processes.items()},
        }

    @classmethod
    def from_state(cls, gate: Gate, analysis: Analysis, state: Mapping[str, Any]) -> Self:
        """Evidence as `to_state` left it. A process that the state does not know starts from nothing."""
        fresh = cls.start(gate, analysis)
        if not state:
            return fresh
        kept = state["processes"]
        processes = {
            key: process.restored(kept[key]) if key in kept else process for key, process in fresh.processes.items()
        }
        arms = [Tally(trials, bad, float(total)) for trials, bad, total in state["totals"]["arms"]]
        totals = Counts(arms[0], arms[1], Pairs(*state["totals"]["pairs"]))
        return replace(fresh, processes=processes, totals=totals)
