"""Judges every gate of a moving rollout by the evidence so far.

Pure: no clock, chance or I/O.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from pitwall_crds.rollout.gate import Gate, OnHarm
from pitwall_crds.rollout.rollout import Analysis, RolloutSpec
from pitwall_crds.rollout.status import GateStatus, Phase, ProcessStatus, RolloutStatus, Verdict
from pitwall_operator.decision.goal.scale import replicas_of
from pitwall_operator.decision.weighing.closing import close_block, is_comparable, without_proof
from pitwall_operator.decision.weighing.disturbance import why_held
from pitwall_operator.decision.weighing.suspects import suspect
from pitwall_operator.evidence.basis.counts import NOTHING, Counts
from pitwall_operator.gates import Assessment, GateEvidence, StageContext, StageKind, assess_state
from pitwall_operator.gates.budget import GROSS_HARM, OBJECTIVE_HARM
from pitwall_operator.gates.counting import counters, latency_thresholds, new_users, outgrown
from pitwall_operator.gates.counting.cursor import Cursor
from pitwall_operator.gates.rule import rule_of
from pitwall_operator.gates.sample_ratio import UNCOUNTED, SampleRatio, UsersBlock
from pitwall_operator.values.observation import Observation, Reading, Unseen

LAST_MARGIN = 16
"""Index of the last promote margin, whatever their number; the last one repeats."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the evidence says now.

    Attributes:
        assessments: by gate name; only gates that count in this stage.
        counts: this block's counts by gate name; empty if no block was closed.
        unmeasured: why nothing could be measured, or empty.
        users: this block's new users; none if no block was closed, or there is no split.
        sample_ratio: whether users are split as the flag says.
        stage_index: the stage that was judged.
        stage: the same, as the gates know it; none without a candidate.
        closed: whether a block was closed, be it an empty one.
        stage_trials: the candidate's trials since the stage began, of the gate that has most of them.
    """

    assessments: Mapping[str, Assessment] = field(default_factory=dict)
    counts: Mapping[str, Counts] = field(default_factory=dict)
    unmeasured: str = ""
    users: UsersBlock | None = None
    sample_ratio: SampleRatio = UNCOUNTED
    stage_index: int = 0
    stage: StageContext | None = None
    closed: bool = False
    stage_trials: int = 0

    @property
    def warning(self) -> str:
        """What is wrong with a comparison although its verdict stands; empty if nothing is."""
        return next((assessment.warning for assessment in self.assessments.values() if assessment.warning), "")

    def having(self, verdict: Verdict) -> tuple[str, ...]:
        """Names of the gates with this verdict."""
        return tuple(name for name, assessment in self.assessments.items() if assessment.verdict is verdict)

    @property
    def verdict(self) -> Verdict:
        """The rollout's: harm anywhere, else the least that is known anywhere."""
        if self.unmeasured:
            return Verdict.UNMEASURED
        for verdict in (Verdict.HARMFUL, Verdict.UNMEASURED, Verdict.INCONCLUSIVE):
            if self.having(verdict):
                return verdict
        return Verdict.NON_INFERIOR if self.assessments else Verdict.UNMEASURED

    @property
    def verdict_at_deadline(self) -> Verdict:
        """The same, but for what is inconclusive because a control is still cold, or videos' servers are blamed: that
        was not measured."""
        is_fair = all(assessment.is_fair for assessment in self.assessments.values())
        return self.verdict if is_fair or self.verdict is not Verdict.INCONCLUSIVE else Verdict.UNMEASURED


def stage_context(spec: RolloutSpec, status: RolloutStatus) -> StageContext:
    """The current stage as the gates need to know it."""
    first_canary = 1 if spec.stages[0].shadow else 0
    match status.phase:
        case Phase.SHADOW:
            return StageContext(kind=StageKind.SHADOW, canary_index=0)
        case Phase.BAKE:
            return StageContext(kind=StageKind.BAKE, canary_index=LAST_MARGIN)
        case _ if status.stage_index + 2 == len(spec.stages):
            # The last stage before everybody: what is not proven here is never proven, since a bake asks for no proof.
            return StageContext(kind=StageKind.CANARY, canary_index=LAST_MARGIN)
        case _:
            return StageContext(kind=StageKind.CANARY, canary_index=max(status.stage_index - first_canary, 0))


def counting(spec: RolloutSpec, status: RolloutStatus, full_replicas: int) -> tuple[Gate, ...]:
    """The gates that decide in the current stage."""
    acting = (gate for gate in spec.analysis.gates if gate.on_harm is not OnHarm.OBSERVE)
    gates = tuple(gate for gate in acting if is_comparable(spec, status, gate, full_replicas))
    if status.phase is Phase.SHADOW:
        return tuple(gate for gate in gates if counters.measurable_in_shadow(gate))
    return gates


def fresh_gate(gate: Gate, analysis: Analysis, begun_after: str = "") -> GateStatus:
    """A gate about which nothing is known; `begun_after` is the last block, if the run has one."""
    state = GateEvidence.start(gate, analysis).to_state()
    return GateStatus(name=gate.name, rule=rule_of(gate), begun_after=begun_after, state=state)


def at_stage_start(status: RolloutStatus) -> tuple[GateStatus, ...]:
    """The gates when a stage begins: harm is remembered, what lets the candidate pass is to be proven anew."""
    return tuple(
        gate.model_copy(update={"proof_after": status.last_block_time, "state": without_proof(gate.state)})
        for gate in status.gates
    )


def fresh_gates(spec: RolloutSpec) -> tuple[GateStatus, ...]:
    """All gates at the start of a run."""
    return tuple(fresh_gate(gate, spec.analysis) for gate in spec.analysis.gates)


def _described(state: GateStatus, assessment: Assessment) -> GateStatus:
    missing = -1 if assessment.missing_trials is None else assessment.missing_trials
    return state.model_copy(
        update={
            "verdict": assessment.verdict,
            "message": assessment.message[:512],
            "missing_trials": missing,
            "evidence": tuple(
                ProcessStatus(
                    name=process.name,
                    log_e=repr(process.log_e),
                    log_threshold=repr(process.log_threshold),
                    acting=process.acting,
                )
                for process in assessment.readings
            ),
        }
    )


def _explained(
    gate: Gate, state: GateStatus, assessment: Assessment, reading: Reading | Unseen, run: counters.Run
) -> Assessment:
    """The assessment, with the reason why nothing was measured where that is a missing threshold; and with the caller
    that is suspected where arms differ between which only chance decides."""
    if isinstance(reading, Unseen):
        return assessment
    if assessment.warning and (who := suspect(reading, run, counters.trial_kind(gate))):
        warning, message = (f"{text}; {who}" for text in (assessment.warning, assessment.message))
        return replace(assessment, warning=warning, message=message)
    lacking = gate.quantile is not None and state.tail is None and assessment.verdict is Verdict.UNMEASURED
    if not lacking:
        return assessment
    return replace(assessment, message=latency_thresholds.why_missing(gate, reading, run.stable))


def _assess(
    spec: RolloutSpec, status: RolloutStatus, reading: Reading | Unseen, deciding: Collection[str]
) -> tuple[RolloutStatus, dict[str, Assessment]]:
    """The status with every gate's verdict, and the assessments of those that decide in this stage."""
    stage = stage_context(spec, status)
    rules = {gate.name: gate for gate in spec.analysis.gates}
    run = counters.Run(status.stable_variant, status.candidate_variant, status.run_id)
    assessed = {
        state.name: _explained(
            rules[state.name],
            state,
            outgrown.assess(
                GateEvidence.from_state(rules[state.name], spec.analysis, state.state),
                assess_state(rules[state.name], spec.analysis, state.state, stage),
                state.tail,
                stage,
            ),
            reading,
            run,
        )
        for state in status.gates
    }
    gates = tuple(_described(state, assessed[state.name]) for state in status.gates)
    return status.model_copy(update={"gates": gates}), {
        name: assessment
        for name, assessment in assessed.items()
        if name in deciding or _is_bad_alone(rules[name], assessment)
    }


def _is_bad_alone(gate: Gate, assessment: Assessment) -> bool:
    """Whether harm is proven without any control, so that it decides where arms cannot be compared, too."""
    return (
        gate.on_harm is not OnHarm.OBSERVE
        and assessment.verdict is Verdict.HARMFUL
        and any(
            reading.name in (OBJECTIVE_HARM, GROSS_HARM) and reading.log_e >= reading.log_threshold
            for reading in assessment.readings
        )
    )


def _stage_trials(gate: GateStatus) -> int:
    """The candidate's trials since the stage began."""
    now, before = (
        Counts.from_state(gate.state[name]) if name in gate.state else NOTHING for name in ("totals", "before")
    )
    return now.trials - before.trials


def _lacking(status: RolloutStatus, reading: Reading | Unseen) -> str:
    """Which gateway's counts are missing, so that nothing passes by those of the others; empty if none's are."""
    if isinstance(reading, Unseen) or not reading.down:
        return ""
    pod = Cursor.from_state(status.cursor).lacking(reading)
    return f"{pod} has counted and cannot be scraped now: see Prometheus' targets page" if pod else ""


def analyze(spec: RolloutSpec, status: RolloutStatus, seen: Observation) -> tuple[RolloutStatus, Judgement]:
    """The status with this block's evidence, and the judgement; no candidate, no judgement."""
    if not status.candidate_variant:
        return status, Judgement(unmeasured="no candidate")
    counts: Mapping[str, Counts] = {}
    users_block, unmeasured, last_block, disturbed = None, "", status.last_block_time, status.disturbed
    full_replicas = replicas_of(seen, status.candidate_variant)
    held = "" if isinstance(seen.reading, Unseen) else why_held(spec, status, seen)
    if isinstance(seen.reading, Unseen):
        unmeasured = seen.reading.reason
    elif not held:
        status, counts, users_block = close_block(spec, status, seen.reading, full_replicas)
    ratio = new_users.sample_ratio(status)
    deciding = {gate.name for gate in counting(spec, status, full_replicas)}
    status, assessments = _assess(spec, status, seen.reading, deciding)
    return status, Judgement(
        assessments,
        counts,
        unmeasured or held or disturbed or ratio.mismatch() or _lacking(status, seen.reading),
        users_block,
        ratio,
        status.stage_index,
        stage_context(spec, status),
        closed=status.last_block_time != last_block,
        stage_trials=max((_stage_trials(gate) for gate in status.gates), default=0),
    )
