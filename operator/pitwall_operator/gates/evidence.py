"""Collects all evidence of one gate, block by block, and gives its verdict at any moment."""

import marshal
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, Self

from pitwall_crds.rollout.gate import Dependence, Gate
from pitwall_crds.rollout.rollout import Analysis
from pitwall_crds.rollout.status import Verdict
from pitwall_operator.evidence.basis.counts import NOTHING, Counts
from pitwall_operator.evidence.basis.process import EProcess, State
from pitwall_operator.evidence.clusters import UsersProcess
from pitwall_operator.evidence.conjunction import NotOneAlone
from pitwall_operator.evidence.views import Carried
from pitwall_operator.gates.assessment import Assessment, ProcessReading, StageContext, StageKind
from pitwall_operator.gates.coldness import UNKNOWN, Coldness
from pitwall_operator.gates.forecast import missing_trials
from pitwall_operator.gates.processes import calibrations, cold_limits, fresh_processes, gross_key, is_proof_of_stage
from pitwall_operator.gates.roles import (
    BURST,
    HARM,
    NON_INFERIORITY,
    Role,
    aside_roles,
    calibration_role,
    harm_roles,
    proof_roles,
)
from pitwall_operator.gates.words import (
    blames,
    fails_some,
    need,
    one_alone,
    sentence,
    still_cold,
    unequal,
    unlike_users,
)

FEW_USERS = 0.05
"""Of an arm's users: so few, as one of twenty, a candidate may fail that fails the others no more than the control."""

KEPT: Final = 256
"""Gates whose evidence is kept in mind as it last was: most turns close no block, and then it says what it said, while
to restore and assess it takes a hundred times what comparing does."""


@dataclass(frozen=True, slots=True)
class GateEvidence:
    """All processes of one gate. Feed every block once; evidence is never reset, whatever stage comes next.

    A shadow's block holds pairs only. `before` is what had been counted when the present stage began.
    """

    gate: Gate
    analysis: Analysis
    processes: Mapping[str, EProcess]
    totals: Counts = NOTHING
    before: Counts = NOTHING
    coldness: Coldness = UNKNOWN

    @classmethod
    def start(cls, gate: Gate, analysis: Analysis) -> Self:
        """Evidence before the first block."""
        return cls(gate, analysis, fresh_processes(gate))

    def update(self, counts: Counts) -> Self:
        """Evidence after one more block. While the control's pods are colder, blocks prove nothing that would let the
        candidate pass by as much."""
        coldness, counts = self.coldness.after(counts.caches), replace(counts, caches=NOTHING.caches)
        cold = {key for key, ratio in cold_limits(self.gate).items() if coldness.exceeds(ratio)}
        compared = replace(counts, uncompared=0, gross=NOTHING.gross)
        processes = {
            key: process if key in cold else process.update(counts if key == gross_key(self.gate) else compared)
            for key, process in self.processes.items()
        }
        totals = self.totals + replace(counts, spreads=())
        return replace(self, processes=processes, totals=totals, coldness=coldness)

    def assess(self, stage: StageContext) -> Assessment:
        """What the evidence says now. Harm wins over everything and stays: where control and stable are alike, it is
        about both. Passing is about the control alone, so nothing passes once the two differ."""
        proofs = proof_roles(self.gate, self.analysis, stage, self.totals)
        proof = next((role for role in proofs if not self._stands(role)), proofs[0])
        verdict, deciding = self._verdict(stage, proof)
        missing = missing_trials(self.processes[proof.key], proof.log_threshold, self.totals)
        message = sentence(self.gate, verdict, stage.kind, self.totals, self._reading(deciding))
        warning = self._warning()
        blame = blames(self.gate, verdict, stage.kind, self.totals.of_candidate_since(self.before))
        is_fair = not blame
        if verdict is Verdict.INCONCLUSIVE and (hindered := self._hindered(message, stage, deciding, proof)):
            message, missing, is_fair = hindered[0], None, is_fair and hindered[1]
        elif blame:
            message, missing = f"{blame}; {message}", None
        elif verdict is Verdict.INCONCLUSIVE:
            message += need(self.gate, missing, self.gate.minimum_trials - self._trials(stage))
        if warning and self.totals.shared and verdict is not Verdict.HARMFUL:
            verdict, message, missing = Verdict.UNMEASURED, warning, None
        else:
            message += f"; but {warning}" if warning else ""
        roles = (*harm_roles(self.gate, self.analysis), *proofs, *aside_roles(self.gate, self.analysis, stage))
        readings = tuple(self._reading(role) for role in roles)
        return Assessment(verdict, message, readings, missing, warning, is_fair, bool(blame))

    def _hindered(self, message: str, stage: StageContext, deciding: Role, proof: Role) -> tuple[str, bool] | None:
        """What is told of a gate that more trials of the same kind do not let pass, and whether the arms are compared
        fairly; nothing where more trials may."""
        if self._is_of_one(deciding):
            return f"{one_alone(self.gate, self.totals, deciding.name)}; {message}", False
        if self._fails_some(stage):
            return f"{fails_some(self.totals.served)}; {message}", False
        if self._withholds(deciding):
            return message + unlike_users(self._users(deciding)), True
        if self._waits_for_the_control(proof):
            return f"{still_cold(self.coldness)}; {message}", False
        if self._has_crossed(proof) and not self._stands(proof):
            return f"proven once in this stage, but not by what came since; {message}", True
        return None

    def _verdict(self, stage: StageContext, proof: Role) -> tuple[Verdict, Role]:
        """The verdict and the process that decided it, or has yet to; `proof` is the first that is still missing. What
        looks like harm and may be users who differ lets nothing pass."""
        proven = [role for role in harm_roles(self.gate, self.analysis) if self._has_crossed(role)]
        trials = self._trials(stage)
        if burst := next((role for role in proven if role.name == BURST), None):
            return Verdict.HARMFUL, burst
        if not trials and not proven:
            return Verdict.UNMEASURED, proof
        if trials < self.gate.minimum_trials:
            return Verdict.INCONCLUSIVE, proof
        if proven:
            return Verdict.HARMFUL, proven[0]
        harms = harm_roles(self.gate, self.analysis)
        if one := next((role for role in harms if self._is_of_one(role)), None):
            return Verdict.INCONCLUSIVE, one
        harm = harms[0]
        if stage.kind is not StageKind.SHADOW and self._withholds(harm):
            return Verdict.INCONCLUSIVE, harm
        passes = self._stands(proof) and not self._fails_some(stage)
        return (Verdict.NON_INFERIOR if passes else Verdict.INCONCLUSIVE), proof

    def _fails_some(self, stage: StageContext) -> bool:
        """Whether it mostly fails some of its users, more than the control does, and no few of them: it does not pass,
        however content the others are. A bake asks for no proof."""
        known = self.totals.served
        return stage.kind is StageKind.CANARY and known.is_worse and known.candidate.rate > FEW_USERS

    def _waits_for_the_control(self, proof: Role) -> bool:
        """Whether blocks say nothing for this proof, since the control's pods are colder."""
        limit = cold_limits(self.gate).get(proof.key)
        return limit is not None and self.coldness.exceeds(limit)

    def _warning(self) -> str:
        """What the A/A monitor has to say: the control is no fair picture of the stable sampler."""
        dependence = self.gate.dependence if self.gate.dependence in calibrations(self.gate) else Dependence.BLOCK
        role = calibration_role(self.gate, self.analysis, dependence)
        return unequal(self.gate, self.totals, self._reading(role)) if self._has_crossed(role) else ""

    def _withholds(self, role: Role) -> bool:
        """Whether the bets have proven it, and users have not."""
        return role.name in (HARM, NON_INFERIORITY) and self._users(role).withholds(role.log_threshold)

    def _is_of_one(self, role: Role) -> bool:
        """Whether harm is proven of all users together, and not without the one who has most of the bad trials. Where
        users are compared with the control's, as long as it is."""
        bets = self.processes[role.key]
        while isinstance(bets, Carried | UsersProcess):
            bets = bets.process
        if not isinstance(bets, NotOneAlone):
            return False
        return bets.withholds_yet(role.log_threshold) if role.name == HARM else bets.withholds(role.log_threshold)

    def _users(self, role: Role) -> UsersProcess:
        """The witness that asks users."""
        process = self.processes[role.key]
        assert isinstance(process, Carried)
        assert isinstance(process.process, UsersProcess)
        return process.process

    def _has_crossed(self, role: Role) -> bool:
        return self.processes[role.key].peak_log_e >= role.log_threshold

    def _stands(self, role: Role) -> bool:
        """Whether what lets the candidate pass is proven, and evidence has not lost all since: a stage may last a day,
        and a candidate turn bad in it by less than is harm."""
        return self._has_crossed(role) and self.processes[role.key].log_e >= 0

    def _reading(self, role: Role) -> ProcessReading:
        return ProcessReading(role.name, self.processes[role.key].log_e, role.log_threshold, role.acting)

    def _trials(self, stage: StageContext) -> int:
        return self.totals.pairs.total if stage.kind is StageKind.SHADOW else self.totals.trials

    def renewed(self) -> Self:
        """The evidence at the start of a stage: harm is remembered, what lets the candidate pass is proven anew; and
        what it blamed videos' servers for before holds it no longer."""
        fresh = fresh_processes(self.gate)
        proofs = {key: fresh[key] for key in self.processes if is_proof_of_stage(key)}
        return replace(self, processes={**self.processes, **proofs}, before=self.totals)

    def to_state(self) -> State:
        """The few numbers that the Rollout's status keeps."""
        known: dict[str, Any] = {"coldness": self.coldness.to_state()} if self.coldness != UNKNOWN else {}
        known |= {"before": self.before.to_state()} if self.before != NOTHING else {}
        return known | {
            "totals": self.totals.to_state(),
            "processes": {key: process.to_state() for key, process in self.processes.items()},
        }

    @classmethod
    def from_state(cls, gate: Gate, analysis: Analysis, state: Mapping[str, Any]) -> Self:
        """Evidence as `to_state` left it. A process that the state does not know starts from nothing."""
        return cls(gate, analysis, *_restored(gate, _kept(state)))


@dataclass(frozen=True, slots=True)
class _Kept:
    """A state as a cache compares it: by its bytes, since every turn asks, and to spell it as JSON takes three times as
    long."""

    text: bytes
    state: Mapping[str, Any] = field(compare=False)


def _kept(state: Mapping[str, Any]) -> _Kept:
    # version 2 has no references, so what is equal is equal in bytes
    return _Kept(marshal.dumps(dict(state), 2), state)


def assess_state(gate: Gate, analysis: Analysis, state: Mapping[str, Any], stage: StageContext) -> Assessment:
    """What the evidence of this state says in a stage."""
    return _assessment(gate, analysis, _kept(state), stage)


@lru_cache(maxsize=KEPT)
def _assessment(gate: Gate, analysis: Analysis, kept: _Kept, stage: StageContext) -> Assessment:
    return GateEvidence(gate, analysis, *_restored(gate, kept)).assess(stage)


@lru_cache(maxsize=KEPT)
def _restored(gate: Gate, kept: _Kept) -> tuple[Mapping[str, EProcess], Counts, Counts, Coldness]:
    """Its processes, totals, those before the stage, and its coldness."""
    state = kept.state
    known = state["processes"] if state else {}
    processes = {
        key: process.restored(known[key]) if key in known else process for key, process in fresh_processes(gate).items()
    }
    totals, before = (Counts.from_state(state[name]) if name in state else NOTHING for name in ("totals", "before"))
    return MappingProxyType(processes), totals, before, Coldness.from_state(state.get("coldness", ()))
