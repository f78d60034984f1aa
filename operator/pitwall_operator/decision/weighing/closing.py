"""Closes a block of counts when it is due, and adds it to the evidence of every gate that it says something about.

Pure: no clock, chance or I/O.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pitwall_crds.names import FULL_WEIGHT, Arm
from pitwall_crds.rollout.gate import Gate
from pitwall_crds.rollout.rollout import RolloutSpec
from pitwall_crds.rollout.status import RolloutStatus
from pitwall_operator.decision.goal.scale import replicas_for
from pitwall_operator.decision.weighing.unwatched import remember_unwatched
from pitwall_operator.evidence.basis.counts import Counts, EdgeTallies, Tally
from pitwall_operator.evidence.basis.spread import ArmsSpread
from pitwall_operator.gates import GateEvidence
from pitwall_operator.gates.counting import blocks, counters, gross, latency_thresholds, new_users, one_user, spreads
from pitwall_operator.gates.counting.cursor import Cursor
from pitwall_operator.gates.processes import is_proof_of_stage
from pitwall_operator.gates.sample_ratio import UsersBlock
from pitwall_operator.values import timestamps
from pitwall_operator.values.observation import ProcessCounters, Reading

SETTLING_SECONDS = 5.0
"""How long after it is decided on a split may take to reach all gateways, and the answers under way their users: bad
labels come sooner than good ones, so an arm that has just grown looks bad, and one that has shrunk good."""

LONGEST_ANSWER_SECONDS = 60.0
"""A failure may be known so late: gateways give up an answer then, unless they are told otherwise."""

UNEQUAL_LOAD = 1.5
"""From this ratio of the arms' load per pod on, latency says more about the load than about the sampler."""


def run_of(status: RolloutStatus) -> counters.Run:
    """Whose counters the present run weighs."""
    return counters.Run(status.stable_variant, status.candidate_variant, status.run_id)


def _totals(source: ProcessCounters, gate: Gate, tail: counters.TailEdges | None, run: counters.Run) -> Counts:
    counts = gross.with_gross(source, gate, tail, run, counters.totals(source, gate, tail, run))
    return one_user.with_one_user(source, gate, tail, run, counts)


def _rows(spec: RolloutSpec, status: RolloutStatus, reading: Reading) -> dict[str, dict[str, Counts]]:
    known, run = {gate.name: gate.tail for gate in status.gates}, run_of(status)
    gates = [gate for gate in spec.analysis.gates if gate.quantile is None or known[gate.name] is not None]
    return {
        identity: {
            gate.name: _totals(source, gate, latency_thresholds.edges_of(known[gate.name]), run) for gate in gates
        }
        for identity, source in reading.sources.items()
        if source.counts_evidence(status.run_id)
    }


def _first_trials(status: RolloutStatus, grown: Mapping[str, Counts], now: float) -> RolloutStatus:
    """The status with the time at which each gate's candidate was first seen."""
    gates = tuple(
        gate.model_copy(update={"first_trial_time": timestamps.to_text(now)})
        if not gate.first_trial_time
        and gate.name in grown
        and (grown[gate.name].candidate.trials or grown[gate.name].pairs.total)
        else gate
        for gate in status.gates
    )
    return status.model_copy(update={"gates": gates})


def is_comparable(spec: RolloutSpec, status: RolloutStatus, gate: Gate, full_replicas: int) -> bool:
    """Whether the arms' pods carry about the same load, where that matters: slow under more load is no slower sampler.

    A control that shares the stable's pods has more of them than it needs once the candidate has most of the traffic.
    One with pods of its own has at least one, however small its share. Nothing is compared where there is none.
    """
    if not gate.is_about_pods:
        return True
    weights = {share.arm: share.weight_basis_points for share in status.weights}
    candidate, control = weights.get(Arm.CANDIDATE, 0), weights.get(Arm.CONTROL, 0)
    if candidate and not control:
        return False
    if not spec.control.dedicated:
        return candidate <= FULL_WEIGHT // 2
    loads = [weight / replicas_for(full_replicas, weight) for weight in (candidate, control)]
    return not min(loads) or max(loads) / min(loads) <= UNEQUAL_LOAD


def _counts_now(spec: RolloutSpec, status: RolloutStatus, gate: Gate, reading: Reading) -> bool:
    """Whether all of a gate's counts are about more than starting: when the block began the candidate was warm, and
    since the weights last changed the slowest label had had time to arrive."""
    begun = _begun(status, reading)
    delay = blocks.label_delay(gate, reading)
    if delay and begun - timestamps.to_epoch(status.stage_start_time) < delay + SETTLING_SECONDS:
        return False
    warmup = gate.warmup(dedicated_control=spec.control.dedicated)
    first = next(state.first_trial_time for state in status.gates if state.name == gate.name)
    return not warmup or (bool(first) and begun - timestamps.to_epoch(first) >= warmup)


def _begun(status: RolloutStatus, reading: Reading) -> float:
    """When the block began that ends now; long ago by a clock that was set back since."""
    begun = timestamps.to_epoch(status.last_block_time or status.run_start_time)
    return 0.0 if begun > reading.time else begun


def _weighed(status: RolloutStatus, gate: Gate, counts: Counts, reading: Reading, *, shared: bool) -> Counts:
    """What is weighed of a gate's counts. Of the rest of stable nothing while it shrinks: its quick answers have come
    by then, and the slow ones have not, so it looks worse than a control that grows. The candidate and the control
    grow together. A control that shares its pods is as warm as they are."""
    counts = replace(counts, gross=EdgeTallies(), caches=EdgeTallies() if shared else counts.caches)
    tail = next(state.tail for state in status.gates if state.name == gate.name)
    edges = latency_thresholds.edges_of(tail)
    slow = max((edges.control, *(control for control, _ in edges.further))) if edges else LONGEST_ANSWER_SECONDS
    lasting = SETTLING_SECONDS + max(slow, float(status.block_seconds))
    if _begun(status, reading) - timestamps.to_epoch(status.stage_start_time) >= lasting:
        return replace(counts, shared=shared)
    apart = tuple(replace(edge, stable=Tally()) for edge in counts.edges)
    return replace(counts, shared=shared, stable=Tally(), edges=apart)


def _alone(status: RolloutStatus, gate: Gate, counts: Counts, reading: Reading) -> Counts:
    """What is weighed of a gate's counts where no control is like the candidate: nothing shares the cold start of the
    pods that the stage brought either."""
    warm = _begun(status, reading) - timestamps.to_epoch(status.stage_start_time)
    alone = counts.alone
    return alone if warm >= gate.warmup(dedicated_control=False) else replace(alone, gross=EdgeTallies())


def _spreads(
    status: RolloutStatus, gate: Gate, reading: Reading, rows: Mapping[str, Mapping[str, Counts]]
) -> tuple[ArmsSpread, ...]:
    """What users differ by so far in the run."""
    tail = next(state.tail for state in status.gates if state.name == gate.name)
    mine = {identity: gates[gate.name] for identity, gates in rows.items() if gate.name in gates}
    return spreads.spreads(reading, gate, latency_thresholds.edges_of(tail), run_of(status), mine)


def _freeze(spec: RolloutSpec, status: RolloutStatus, reading: Reading) -> RolloutStatus:
    """The status with the thresholds that can be frozen by now. A gate whose own one can be measured at last is not
    given what was counted beyond a lower one, and what lets the candidate pass is to be proven anew."""
    after = latency_thresholds.freeze(spec, status, reading)
    was = {gate.name: gate.tail for gate in status.gates}
    moved = {gate.name for gate in after.gates if was[gate.name] not in (None, gate.tail)}
    if not moved:
        return after
    proof = {"proof_after": status.last_block_time}
    gates = tuple(
        gate.model_copy(update={**proof, "state": without_proof(gate.state)}) if gate.name in moved else gate
        for gate in after.gates
    )
    others = frozenset(gate.name for gate in gates) - moved
    cursor = Cursor.from_state(status.cursor).without(others).to_state()
    return after.model_copy(update={"gates": gates, "cursor": cursor})


def without_proof(state: Mapping[str, Any]) -> dict[str, Any]:
    """A gate's evidence without what would let the candidate pass, as `GateEvidence.renewed` leaves it."""
    if not state:
        return {}
    kept = {key: known for key, known in state["processes"].items() if not is_proof_of_stage(key)}
    return {**state, "processes": kept, "before": state["totals"]}


def close_block(
    spec: RolloutSpec, status: RolloutStatus, reading: Reading, full_replicas: int
) -> tuple[RolloutStatus, Mapping[str, Counts], UsersBlock | None]:
    """Evidence after the counts since the last block; nothing changes before a block is over, and what a disturbed one
    counted is not weighed."""
    status = blocks.with_block_length(spec, status, reading)
    # a block that ended in the future ended before the clock was set back
    if 0 <= reading.time - timestamps.to_epoch(status.last_block_time) < status.block_seconds:
        return status, {}, None
    status = remember_unwatched(spec, _freeze(spec, status, reading), reading)
    rows = _rows(spec, status, reading)
    cursor, grown = Cursor.from_state(status.cursor).advance(reading.time, rows)
    status = _first_trials(status, grown, reading.time)
    warm = [
        gate
        for gate in spec.analysis.gates
        if gate.name in grown and not status.disturbed and _counts_now(spec, status, gate, reading)
    ]
    # An objective knows no control, so it is asked about where arms cannot be compared, too.
    counts = {gate.name: _alone(status, gate, grown[gate.name], reading) for gate in warm} | {
        gate.name: replace(
            _weighed(
                status, gate, grown[gate.name], reading, shared=gate.is_about_answers or not spec.control.dedicated
            ),
            spreads=_spreads(status, gate, reading, rows),
            served=one_user.served(reading, gate, run_of(status)),
        )
        for gate in warm
        if is_comparable(spec, status, gate, full_replicas)
    }
    rules = {gate.name: gate for gate in spec.analysis.gates}
    gates = tuple(
        state.model_copy(
            update={
                "state": GateEvidence.from_state(rules[state.name], spec.analysis, state.state)
                .update(counts[state.name])
                .to_state()
            }
        )
        if state.name in counts
        else state
        for state in status.gates
    )
    ended = timestamps.to_text(reading.time)
    closed = {"cursor": cursor.to_state(), "last_block_time": ended, "gates": gates, "disturbed": ""}
    status, users_block = new_users.count(spec, status.model_copy(update=closed), reading)
    return status, counts, users_block
