"""Words a gate's verdict as one plain sentence with the numbers behind it."""

from math import exp

from pitwall_crds.rollout.gate import Dependence, Gate, MeanMetric, QuantileMetric, RateMetric, Unit
from pitwall_crds.rollout.status import Verdict
from pitwall_operator.evidence.basis.counts import Counts, Tally, UsersServed
from pitwall_operator.evidence.basis.null_boundary import Claim
from pitwall_operator.evidence.clusters import UsersProcess
from pitwall_operator.gates import grossness
from pitwall_operator.gates.assessment import ProcessReading, StageKind
from pitwall_operator.gates.budget import GROSS_HARM, OBJECTIVE_HARM
from pitwall_operator.gates.coldness import Coldness
from pitwall_operator.gates.roles import IN_TIME, NON_INFERIORITY

BAD_TRIALS = {
    RateMetric.ERRORS: "{} failed",
    RateMetric.COLD_QUERIES: "{} found a cold cache",
    RateMetric.THUMBS_DOWN: "{} got a thumbs-down",
    RateMetric.FOLLOW_UP: "{} asked again",
    RateMetric.TASK_ABANDONED: "{} gave the task up",
}
SLOW = {
    QuantileMetric.QUERY_LATENCY: "{} were slower than the {} limit",
    QuantileMetric.FRAME_SELECTION: "{} selected frames slower than the {} limit",
}
MEANS = {
    MeanMetric.TOKENS_PER_QUERY: (1.0, "", "tokens per query"),
    MeanMetric.FRAME_SELECTION: (1000.0, " ms", "of frame selection per query"),
    MeanMetric.ENCODER_UTILIZATION: (1000.0, " ms", "of the encoder's time per query"),
}
"""Scale, unit and words of a mean."""
SUSPECTS = "suspect a caller that knows arms, a few users with most of the trials, or stalls longer than a block"
"""Who makes arms unequal between which only chance decides."""
REMEDIES = "give a dedicated control more pods, let caches warm up, or make blocks longer"
NOUNS = {Unit.QUERY: "queries", Unit.SESSION: "sessions", Unit.USER: "users"}


def noun(gate: Gate) -> str:
    """What one trial of this gate is, in the plural."""
    return NOUNS[gate.rate.trial] if gate.rate else NOUNS[Unit.QUERY]


def sentence(gate: Gate, verdict: Verdict, kind: StageKind, seen: Counts, reading: ProcessReading) -> str:
    """The verdict and the numbers behind it; `reading` is the process that decided, or has yet to."""
    if verdict is Verdict.UNMEASURED:
        return f"no {'pairs of queries' if kind is StageKind.SHADOW else noun(gate)} measured yet"
    if reading.name.startswith("paired"):
        facts = _pairs(gate, seen)
    elif reading.name == GROSS_HARM:
        facts = _gross(gate, seen)
    else:
        facts = _objective(gate, seen) if reading.name.startswith("objective") else _arms(gate, seen, reading)
    return f"{facts}, {_evidence(reading)}"


def unequal(gate: Gate, seen: Counts, reading: ProcessReading) -> str:
    """What it means that control and stable, which run the same sampler, differ; and what to do about it."""
    values = [_mean(gate, arm.mean) if gate.mean else _share(arm.rate) for arm in (seen.control, seen.stable)]
    facts = f"control and stable differ on {gate.name} though they run the same sampler ({values[0]} and {values[1]}, "
    return f"{facts}{_evidence(reading)}): {SUSPECTS if seen.shared else REMEDIES}"


def _arms(gate: Gate, seen: Counts, reading: ProcessReading) -> str:
    what, left = _what(gate) if not gate.mean else "", seen.abandoned
    if reading.name == IN_TIME:
        seen, what = seen.in_time, f"{what}{_in_time(seen)}"
    elif reading.name == NON_INFERIORITY and left.late:
        seen, what = seen.at_worst, f"{what} ({left.late} of them left unanswered)"
    candidate, (name, control) = seen.candidate, _opposite(gate, seen)
    trials = f"{candidate.trials} {noun(gate)}"
    if gate.mean:
        unit = MEANS[gate.mean.metric][2]
        return f"{_mean(gate, candidate.mean)} {unit}, control {_mean(gate, control.mean)}, {trials}"
    return f"{_share(candidate.rate)} of {what}, {name} {_share(control.rate)}, {trials}"


def _in_time(seen: Counts) -> str:
    """What is bad in time besides."""
    return ", left unanswered or blamed on videos" if seen.abandoned.excused else " or left unanswered"


def _opposite(gate: Gate, seen: Counts) -> tuple[str, Tally]:
    """What the candidate is compared with, and its name."""
    if gate.dependence is Dependence.QUERY and not gate.mean and seen.shared:
        return "control and stable", seen.reference
    return "control", seen.control


def _pairs(gate: Gate, seen: Counts) -> str:
    pairs = seen.pairs
    if gate.rate:
        return f"{pairs.worse} of {pairs.total} shadowed queries failed"
    size = f"by {gate.margin_percent}% " if gate.margin_percent else ""
    return f"worse {size}on {pairs.worse} and better on {pairs.better} of {pairs.total} shadowed queries"


def _objective(gate: Gate, seen: Counts) -> str:
    """The candidate against its absolute limit."""
    counted = f"{_share(seen.objective.rate)} of {seen.objective.trials} {noun(gate)}"
    if gate.quantile:
        slow = f"took longer than {gate.quantile.objective_milliseconds} ms"
        return f"{counted} {slow}, the objective p{gate.quantile.per_mille / 10:g} allows {_share(gate.objective)}"
    assert gate.rate is not None
    what = BAD_TRIALS[gate.rate.metric].format(counted)
    return f"{what}, the objective allows {_share(gate.objective)}"


def _gross(gate: Gate, seen: Counts) -> str:
    """The candidate against stable's record."""
    at, times, limit = seen.gross.candidate, grossness.factor(gate), _share(grossness.limit(gate))
    slow = f"took more than {times:.3g} times stable's p{grossness.per_mille(gate) / 10:g}, where {limit} may"
    return f"{_share(at.rate)} of {at.trials} {noun(gate)} {slow}"


def _mean(gate: Gate, value: float) -> str:
    assert gate.mean is not None
    scale, unit, _ = MEANS[gate.mean.metric]
    return f"{value * scale:.4g}{unit}"


def _what(gate: Gate) -> str:
    if gate.quantile:
        return SLOW[gate.quantile.metric].format(noun(gate), f"p{gate.quantile.per_mille / 10:g}")
    assert gate.rate is not None
    return BAD_TRIALS[gate.rate.metric].format(noun(gate))


def _share(rate: float) -> str:
    return f"{100 * rate:.2f}%" if rate < 0.01 else f"{100 * rate:.1f}%"


def need(gate: Gate, missing: int | None, below_minimum: int) -> str:
    """How much more must be seen, in words; `missing` None is unknown."""
    short = max(below_minimum, missing or 0)
    if missing is None and short <= 0:
        return ", not approaching proof"
    return f", about {short} more {noun(gate)} needed"


def blames(gate: Gate, verdict: Verdict, kind: StageKind, seen: Counts) -> str:
    """What the candidate says of this stage's questions that it did not answer, and what to do: first of all, since a
    status's reason is short. Empty where most that speaks against it is something else, or where all is decided."""
    left, copies = seen.abandoned, kind is StageKind.SHADOW
    number, bad = left.excused, seen.candidate.bad + left.candidate
    if copies:
        number, bad = (left.copies, seen.pairs.worse + left.copies) if gate.rate else (0, 0)
    # In a bake it matters until the end, whatever was proven before it began.
    is_decided = verdict is Verdict.HARMFUL or (verdict is Verdict.NON_INFERIOR and kind is not StageKind.BAKE)
    if 2 * number <= bad or is_decided:
        return ""
    what = "copies" if copies else "questions"
    asked = number + (seen.pairs.total if copies else seen.candidate.trials + left.candidate - left.excused)
    return (
        f"of {number} of {asked} {what} the candidate says the video's server was at fault, or the video not prepared "
        "yet; stable answered them; see whether its pods reach those servers, and if these were away, go on with "
        "pitwall promote"
    )


def unlike_users(process: UsersProcess) -> str:
    """Why nothing is proven although the bets have: it may be who was drawn for an arm."""
    claimed = "worse" if process.claim is Claim.HARM else "no worse"
    bets = _e(process.process.log_e)
    return f": {claimed} in each block (e={bets}), but within what {process.users:.0f} users like these differ by"


def one_alone(gate: Gate, seen: Counts, process: str) -> str:
    """Why nothing is proven although the bets have, and what to do: first of all, since a status's reason is short."""
    one, bad = seen.of_one.candidate, seen.candidate.bad
    if process == OBJECTIVE_HARM:
        one, bad = seen.of_one.objective, seen.objective.bad
    elif process == GROSS_HARM:
        one, bad = seen.of_one.gross, seen.gross.candidate.bad
    return (
        f"of {bad} bad {noun(gate)} {one} are one user's alone in each gateway, and the others' prove no harm: give "
        "the candidate more users (a larger weight), see what that user asks (the gateway's log names who has a share "
        "of what counts), then pitwall promote or abort"
    )


def fails_some(served: UsersServed) -> str:
    """Why nothing passes although others are content, and what to do: first of all, since a reason is short."""
    failed, all_users = served.candidate.bad, served.candidate.trials
    return (
        f"the candidate mostly fails {failed} of its {all_users} users, the control {served.control.bad} of "
        f"{served.control.trials}: see in the gateway's log what fails them, then pitwall promote or abort"
    )


def still_cold(coldness: Coldness) -> str:
    """Why nothing is proven now, and what to do about it: first of all, since a status's reason is short."""
    control, candidate, stable = (_share(arm.rate) for arm in (coldness.control, coldness.candidate, coldness.stable))
    facts = f"{control} of its questions are cold, the candidate's {candidate}, stable's {stable}"
    return f"the control's pods are still warming up ({facts}): give them time, a shared control or pitwall promote"


def _evidence(reading: ProcessReading) -> str:
    if reading.log_e >= reading.log_threshold:
        return f"e={_e(reading.log_e)}"
    return f"e={_e(reading.log_e)} of {_e(reading.log_threshold)}"


def _e(log_e: float) -> str:
    """An e-value as people read it."""
    return f"{exp(log_e):.3g}" if log_e < 14 else f"10^{log_e / 2.302585:.0f}"
