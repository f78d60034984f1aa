"""Explains a rollout in plain sentences: what happened, when, and on what evidence.

Pure: no clock, chance or I/O.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pitwall_crds.names import EventReason
from pitwall_crds.resource import ConditionStatus
from pitwall_crds.rollout.gate import OnHarm
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.rollout.status import GateStatus, Phase, Verdict
from pitwall_operator.values import about, timestamps

if TYPE_CHECKING:  # a verb that reads no record need not wait for the statistics behind it
    from pitwall_operator.record.lines import Line

TOLD = {ConditionStatus.TRUE: ("Killed", "Stalled"), ConditionStatus.FALSE: ("Applied",)}
"""Conditions that a story must not leave out."""

WEIGHING = (Phase.SHADOW, Phase.CANARY, Phase.BAKE)
"""Phases in which a candidate moves."""


def odds(log_e: float) -> str:
    """An e-value as people read it: `e=412`, `e=3e+12`."""
    value = math.exp(min(log_e, 700.0))
    return f"e={value:.0f}" if 10 <= value < 10_000 else f"e={value:.2g}"


def gate_lines(gate: GateStatus) -> Iterator[str]:
    """One gate: its verdict, and each process's distance from proof."""
    yield f"{gate.name}: {gate.verdict} – {gate.message or 'nothing seen yet'}"
    for process in gate.evidence:
        log_e, threshold = float(process.log_e), float(process.log_threshold)
        said = "proven" if log_e >= threshold else f"proof from {odds(threshold)}"
        aside = "" if process.acting else " (shown only)"
        yield f"    {process.name}: {odds(log_e)}, {said}{aside}"
    if gate.tail:
        yield (
            f"    a query counts as slow beyond {float(gate.tail.control):.4g} s in the control "
            f"and {float(gate.tail.candidate):.4g} s in the candidate; frozen before the run"
            f"{', lower than the quantile asks for' if gate.tail.lowered else ''}"
        )


def standing(rollout: Rollout) -> Iterator[str]:
    """Where the rollout stands now."""
    spec, status = rollout.spec, rollout.status
    wanted = spec.variant_ref.name
    match status.phase:
        case Phase.PENDING:
            yield f"{wanted} shall serve {spec.flag}; nothing serves yet. {status.reason}"
        case Phase.STABLE:
            yield f"{status.stable_variant} serves everybody of {spec.flag}."
        case Phase.FLAGGED_OFF | Phase.ABORTED:
            yield f"{wanted} is off ({status.phase}); {status.stable_variant} serves everybody. {status.reason}"
        case _:
            yield f"{status.candidate_variant} is on its way to replace {status.stable_variant}: stage {status.stage}."
            yield f"Verdict so far: {status.verdict}. {status.reason}"
    yield from (
        f"{condition.type}: {condition.message}"
        for condition in status.conditions
        if condition.type in TOLD.get(condition.status, ()) and condition.message not in ("", status.reason)
    )


def heading(rollout: Rollout) -> str:
    """Whose evidence follows: a run that has ended is not about what serves now."""
    started = [entry.variant for entry in rollout.status.history if entry.reason == EventReason.STAGE_STARTED]
    if rollout.status.phase in WEIGHING or not started:
        return "Evidence"
    return f"Evidence of the last run, about {started[-1]}"


def timeline(rollout: Rollout) -> Iterator[str]:
    """Every decision that changed something, oldest first."""
    for entry in rollout.status.history:
        yield f"{entry.time}  {entry.reason}: {entry.message}"


def evidence(rollout: Rollout) -> Iterator[str]:
    """Every gate of the current or last run."""
    for gate in rollout.status.gates:
        yield from gate_lines(gate)


def seen(lines: Iterable["Line"], run: str) -> str:
    """How much one run has looked at."""
    blocks = {line["after"]: line for line in lines if line["kind"] == "block" and line["run"] == run}
    trials = sum(
        max((counts["candidate"]["trials"] for counts in block["counts"].values()), default=0)
        for block in blocks.values()
    )
    return f"{len(blocks)} blocks were weighed; the candidate answered {trials} questions of users in them."


def remaining(rollout: Rollout, lines: Iterable["Line"]) -> str:
    """How much longer this stage needs if trials come as they did in it; empty where nothing can be said of that."""
    status = rollout.status
    if status.phase not in (Phase.SHADOW, Phase.CANARY):
        return ""
    pairs = status.phase is Phase.SHADOW
    blocks = {line["after"]: line for line in lines if line["kind"] == "block" and line["run"] == status.run_id}
    here = [block for block in blocks.values() if block["time"] > status.stage_start_time]
    observed = {gate.name for gate in rollout.spec.analysis.gates if gate.on_harm is OnHarm.OBSERVE}
    waits: dict[str, float] = {}
    for gate in status.gates:
        counted = [block["counts"][gate.name] for block in here if gate.name in block["counts"]]
        trials = sum(counts["pairs"]["total"] if pairs else counts["candidate"]["trials"] for counts in counted)
        if gate.missing_trials > 0 and trials and gate.name not in observed:
            since = timestamps.to_epoch(here[-1]["time"]) - timestamps.to_epoch(status.stage_start_time)
            waits[gate.name] = gate.missing_trials * since / trials
    if not waits:
        return ""
    slowest = max(waits, key=lambda name: waits[name])
    return f"At the present rates this stage needs {about.duration(waits[slowest])} more, for {slowest}."


def advised(rollout: Rollout) -> tuple[str, ...]:
    """What its analysis cannot tell, while that matters: a candidate is being weighed by it."""
    if rollout.status.phase not in WEIGHING:
        return ()
    from pitwall_operator.gates.advice import advice  # with it come the statistics, which other verbs need not wait for

    return advice(rollout.spec)


def story(rollout: Rollout, lines: Sequence["Line"]) -> tuple[str, ...]:
    """The whole story; `lines` is the record, or nothing where it was not read."""
    parts = [*standing(rollout), ""]
    if rollout.status.gates:
        parts += [
            heading(rollout),
            *(f"  {line}" for line in evidence(rollout)),
            *([f"  {seen(lines, rollout.status.run_id)}"] if lines else []),
            *(f"  {sentence}" for sentence in [remaining(rollout, lines)] if sentence),
            "",
        ]
    if rollout.status.plan and rollout.status.phase in WEIGHING:
        parts += ["Plan when this run began", *(f"  {sentence}" for sentence in rollout.status.plan), ""]
    if advice := advised(rollout):
        parts += ["Advice", *(f"  {sentence}" for sentence in advice), ""]
    parts += ["What happened", *(f"  {line}" for line in timeline(rollout))]
    return tuple(parts)


def age(since: str, now: float) -> str:
    """A duration as kubectl writes it: 45s, 12m, 3h, 4d."""
    seconds = int(max(0.0, now - timestamps.to_epoch(since))) if since else 0
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size * 2:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def column_reason(rollout: Rollout) -> str:
    """The REASON column: short, and about what is missing."""
    status = rollout.status
    if status.verdict is Verdict.INCONCLUSIVE or status.reason:
        return status.reason
    return status.phase
