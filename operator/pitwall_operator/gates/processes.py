"""Builds a gate's e-processes, each under the key by which the Rollout's status remembers it."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from pitwall_crds.rollout.gate import Dependence, Gate, QuantileMetric, RateMetric
from pitwall_operator.evidence.basis.null_boundary import Claim, NullBoundary
from pitwall_operator.evidence.basis.process import EProcess
from pitwall_operator.evidence.bernoulli import BernoulliProcess, Prior
from pitwall_operator.evidence.calibration import Calibration
from pitwall_operator.evidence.clusters import UsersProcess
from pitwall_operator.evidence.conjunction import BothProcess, NotOneAlone
from pitwall_operator.evidence.contrast import ContrastProcess, Measure
from pitwall_operator.evidence.gross import GrossProcess
from pitwall_operator.evidence.label_swap import LabelSwapProcess, MeanSwapProcess
from pitwall_operator.evidence.mixture import MeanProcess
from pitwall_operator.evidence.objective import ObjectiveBlocks, ObjectiveProcess
from pitwall_operator.evidence.paired import Against, PairedProcess
from pitwall_operator.evidence.views import AtEdge, AtWorst, Carried, InTime, OfGoodTrials, PairsAsArms, PairsAtWorst
from pitwall_operator.gates import grossness

LEAST_TRIALS = 3
"""A block of both arms has at least so many trials of each; fewer wait for more."""
FURTHER_PER_MILLE = (500, 750, 900, 950)
"""Quantiles of stable's history whose edges a quantile gate bets on beside its own, if they are lower."""
LEAST_GOOD_RATIO = 2.0
"""Beside an absolute margin: the candidate must keep at least one good trial for so many of the control's."""
BURST_MARGIN = 0.25
"""Burst guard: so much more of the candidate's queries fail than of the control's."""
QUANTILE_PRIOR_TRIALS = 50.0
RATE_PRIOR_TRIALS = 2.0
RATE_PRIORS = {
    RateMetric.ERRORS: 0.01,
    RateMetric.COLD_QUERIES: 0.3,
    RateMetric.THUMBS_DOWN: 0.1,
    RateMetric.FOLLOW_UP: 0.2,
    RateMetric.TASK_ABANDONED: 0.2,
}


def harm_key(gate: Gate, dependence: Dependence) -> str:
    """Where the status keeps the harm process; another margin is another hypothesis, so it starts anew."""
    return f"harm-{dependence.lower()}@{gate.margin_percent}"


def paired_key(claim: Claim, gate: Gate, dependence: Dependence) -> str:
    """Where the status keeps a process on the shadow's pairs."""
    return f"paired-{claim}-{dependence.lower()}@{gate.margin_percent}"


def gross_key(gate: Gate) -> str:
    """Where the status keeps the process against stable's record."""
    return f"gross@{gate.margin_percent}"


def burst_key() -> str:
    """Where the status keeps the burst guard."""
    return "burst"


def objective_key(claim: Claim, gate: Gate) -> str:
    """Where the status keeps the process against the absolute objective; another limit starts anew."""
    rule = gate.quantile
    limit = f"p{rule.per_mille}<{rule.objective_milliseconds}ms" if rule else f"{gate.objective:g}"
    return f"objective-{claim}-{gate.dependence.lower()}@{limit}"


def in_time_key(gate: Gate, dependence: Dependence, canary_index: int) -> str:
    """Where the status keeps the process about those who were not answered in time."""
    return f"in-time-{non_inferiority_key(gate, dependence, canary_index)}+{promote_margin(gate, canary_index)}"


def calibration_key(gate: Gate, dependence: Dependence) -> str:
    """Where the status keeps the A/A monitor."""
    return f"aa-{dependence.lower()}@{gate.margin_percent}"


def calibrations(gate: Gate) -> tuple[Dependence, ...]:
    """The assumptions under which a gate's A/A monitor runs; means have no single trials."""
    return (Dependence.BLOCK,) if gate.mean else tuple(Dependence)


def promote_margin(gate: Gate, canary_index: int) -> int:
    """Percent by which the candidate may be worse and still pass this canary stage."""
    margins = gate.promote_margin_percent
    return margins[min(canary_index, len(margins) - 1)]


def non_inferiority_key(gate: Gate, dependence: Dependence, canary_index: int) -> str:
    """Where the status keeps the non-inferiority process of a stage; stages with the same margin share it."""
    if gate.absolute_margin_basis_points:
        return f"non-inferiority-{dependence.lower()}@{gate.margin_percent}+{gate.absolute_margin_basis_points}bp"
    return f"non-inferiority-{dependence.lower()}@{gate.margin_percent}+{promote_margin(gate, canary_index)}"


def harm_boundary(gate: Gate) -> NullBoundary:
    """Candidate = (1 + margin) · control. A quantile's margin is in the candidate's edge, so its boundary is 1 : 1."""
    return NullBoundary() if gate.quantile else NullBoundary(ratio=1 + gate.margin_percent / 100)


def non_inferiority_boundary(gate: Gate, canary_index: int) -> NullBoundary:
    """Candidate = (1 + promote margin) · control, or control + the absolute margin."""
    if gate.absolute_margin_basis_points:
        return NullBoundary(offset=gate.absolute_margin_basis_points / 10_000)
    return NullBoundary(ratio=1 + promote_margin(gate, canary_index) / 100)


@lru_cache(maxsize=512)
def fresh_processes(gate: Gate) -> Mapping[str, EProcess]:
    """Every process of a gate before the first block. All margins run from the start of a stage.

    Every turn asks for them, and a gate seldom changes."""
    processes: dict[str, EProcess] = {}
    for dependence in Dependence:
        harm = UsersProcess(_harm(gate, dependence), harm_boundary(gate))
        processes[harm_key(gate, dependence)] = _whole_blocks(gate, dependence, harm)
        for claim in Claim:
            processes[paired_key(claim, gate, dependence)] = _paired(claim, gate, dependence)
        for index in range(len(gate.promote_margin_percent)):
            boundary = non_inferiority_boundary(gate, index)
            proof = UsersProcess(_non_inferiority(gate, dependence, boundary), boundary, Claim.NON_INFERIOR)
            processes[non_inferiority_key(gate, dependence, index)] = _whole_blocks(gate, dependence, proof)
            if sees_who_leaves(gate):
                in_time = _in_time(gate, dependence, index)
                processes[in_time_key(gate, dependence, index)] = _whole_blocks(gate, dependence, in_time)
    if gate.rate and gate.rate.metric is RateMetric.ERRORS:
        burst = BernoulliProcess.start(NullBoundary(offset=BURST_MARGIN), Claim.HARM, bernoulli_prior(gate))
        processes[burst_key()] = Carried(NotOneAlone.of(burst))
    if gate.quantile:
        processes[gross_key(gate)] = NotOneAlone.of(_gross(gate))
    if gate.objective:
        processes |= {objective_key(claim, gate): _objective(claim, gate) for claim in Claim}
    processes |= {
        calibration_key(gate, dependence): _calibration(gate, dependence) for dependence in calibrations(gate)
    }
    return MappingProxyType(processes)


@lru_cache(maxsize=512)
def cold_limits(gate: Gate) -> Mapping[str, float]:
    """By the key of each proof against the control, how many times as many cold questions the control may have: no more
    than the stage's margin allows bad ones."""
    limits: dict[str, float] = {}
    for dependence in Dependence:
        for index in range(len(gate.promote_margin_percent)):
            limit = 1 + promote_margin(gate, index) / 100
            limits[non_inferiority_key(gate, dependence, index)] = limits[in_time_key(gate, dependence, index)] = limit
    return MappingProxyType(limits)


def is_proof_of_stage(key: str) -> bool:
    """Whether a process must begin anew with each stage: a candidate that turns worse when its weight grows must not
    pass on what it proved before."""
    return key.startswith(("non-inferiority-", "in-time-", f"objective-{Claim.NON_INFERIOR}-"))


def _whole_blocks(gate: Gate, dependence: Dependence, process: EProcess) -> EProcess:
    """Single trials may be judged as soon as both arms have one; a block's difference needs a few."""
    return Carried(process, 1 if dependence is Dependence.QUERY and not gate.mean else LEAST_TRIALS)


def _harm(gate: Gate, dependence: Dependence) -> EProcess:
    """About the mean, and where blocks are correlated also about the coin that tells which arm is the candidate.

    Means say nothing about single queries, so both kinds of dependence share the block process. Of a rate each gateway
    lets a few bad trials of any user count before others have some, and tells nothing of what users differ by before
    there are ten: of many gateways that one user asks, these few alone must not be harm.
    """
    boundary = harm_boundary(gate)
    if gate.mean:
        return BothProcess(MeanSwapProcess(boundary.ratio), ContrastProcess(boundary, Claim.HARM, Measure.MEAN))
    trials = _at_all_edges(gate, BernoulliProcess.start(boundary, Claim.HARM, bernoulli_prior(gate)))
    harm: EProcess = trials
    if dependence is Dependence.BLOCK:
        harm = BothProcess(_at_all_edges(gate, LabelSwapProcess(boundary.ratio)), trials)
    return NotOneAlone.of(harm) if gate.rate else harm


def _at_all_edges(gate: Gate, process: EProcess) -> EProcess:
    """The same bet at the gate's own edge and at lower ones: what slows all queries down shows there first."""
    if gate.quantile is None:
        return process
    further = (AtEdge(_with_prior(process, per_mille), index) for index, per_mille in enumerate(further_edges(gate)))
    return MeanProcess((process, *further))


def further_edges(gate: Gate) -> tuple[int, ...]:
    """Quantiles of stable's history, in per mille, whose edges a quantile gate looks at beside its own."""
    own = gate.quantile.per_mille if gate.quantile else 0
    return tuple(per_mille for per_mille in FURTHER_PER_MILLE if per_mille < own)


def _with_prior(process: EProcess, per_mille: int) -> EProcess:
    if not isinstance(process, BernoulliProcess):
        return process
    return BernoulliProcess.start(process.boundary, process.claim, quantile_prior(per_mille))


def _objective(claim: Claim, gate: Gate) -> EProcess:
    """There is no control to tell a user whom anything fails from a candidate that fails anybody."""
    bets: EProcess
    if gate.dependence is Dependence.BLOCK:
        bets = ObjectiveBlocks.start(gate.objective, claim)
    else:
        bets = ObjectiveProcess.start(gate.objective, claim)
    return NotOneAlone.of(bets) if claim is Claim.HARM else bets


def _gross(gate: Gate) -> EProcess:
    """In whole blocks, whatever is said of dependence: one stall holds more slow trials than so high a limit needs."""
    beside = BernoulliProcess.start(NullBoundary(), Claim.HARM, quantile_prior(grossness.per_mille(gate)))
    return GrossProcess(ObjectiveBlocks.start(grossness.limit(gate), Claim.HARM), beside)


def _calibration(gate: Gate, dependence: Dependence) -> EProcess:
    """Both arms run the same sampler and are counted beyond the same edge, so the margin is one of shares here."""
    boundary = NullBoundary(ratio=1 + gate.margin_percent / 100)
    process: EProcess
    if gate.mean:
        process = ContrastProcess(boundary, Claim.HARM, Measure.MEAN)
    elif dependence is Dependence.BLOCK:
        process = LabelSwapProcess(boundary.ratio)
    else:
        process = BernoulliProcess.start(boundary, Claim.HARM, bernoulli_prior(gate))
    return Calibration(process, process)


def _non_inferiority(gate: Gate, dependence: Dependence, boundary: NullBoundary) -> EProcess:
    """About the mean, of bad trials and of good ones: no margin is so wide that a candidate without a good trial could
    keep it. At a few bad trials in a hundred the good ones are proven long before."""
    if gate.mean:
        return ContrastProcess(boundary, Claim.NON_INFERIOR, Measure.MEAN)
    good = NullBoundary(ratio=LEAST_GOOD_RATIO if boundary.offset else boundary.ratio)
    bad = _of_all(gate, dependence, boundary)
    if dependence is Dependence.BLOCK:
        blocks = ContrastProcess(good, Claim.NON_INFERIOR, Measure.RATE)
        return AtWorst(BothProcess(bad, OfGoodTrials(blocks)))
    prior = bernoulli_prior(gate)
    trials = BernoulliProcess.start(good, Claim.NON_INFERIOR, Prior(1 - prior.rate, prior.trials))
    return AtWorst(BothProcess(bad, OfGoodTrials(trials, pooled=True)))


def sees_who_leaves(gate: Gate) -> bool:
    """Whether a question is no trial of the gate because its caller left."""
    if gate.quantile:
        return gate.quantile.metric is QuantileMetric.QUERY_LATENCY
    return gate.rate is not None and gate.rate.metric is RateMetric.ERRORS


def _in_time(gate: Gate, dependence: Dependence, canary_index: int) -> EProcess:
    """About those who were not answered in time, for whatever reason.

    Who may have to wait so much longer may leave so much more often. Where people leave as they like, an absolute
    margin would ask for all traffic there is, so the wider of both counts: a mean of two e-processes is one under both.
    """
    longer = (1 + gate.margin_percent / 100) * (1 + promote_margin(gate, canary_index) / 100)
    boundaries = [NullBoundary(ratio=longer)]
    if gate.absolute_margin_basis_points:
        boundaries.append(non_inferiority_boundary(gate, canary_index))
    parts = tuple(_of_all(gate, dependence, boundary) for boundary in boundaries)
    return InTime(parts[0] if len(parts) == 1 else MeanProcess(parts))


def _of_all(gate: Gate, dependence: Dependence, boundary: NullBoundary) -> EProcess:
    if dependence is Dependence.BLOCK:
        return ContrastProcess(boundary, Claim.NON_INFERIOR, Measure.RATE)
    return BernoulliProcess.start(boundary, Claim.NON_INFERIOR, bernoulli_prior(gate))


def _paired(claim: Claim, gate: Gate, dependence: Dependence) -> EProcess:
    """A copy that failed has no counterpart, since the stable's failures are not counted: harm is a majority."""
    against = Against.BETTER if claim is Claim.HARM and not gate.rate else Against.NOT_WORSE
    if dependence is Dependence.QUERY:
        return _of_all_copies(claim, gate, PairedProcess(claim, against))
    process = LabelSwapProcess() if claim is Claim.HARM else ContrastProcess(NullBoundary(), claim, Measure.RATE)
    return _of_all_copies(claim, gate, PairsAsArms(process, against))


def _of_all_copies(claim: Claim, gate: Gate, process: EProcess) -> EProcess:
    """What is missing by the variant's own word is no harm, and lets nothing pass."""
    return PairsAtWorst(process) if claim is Claim.NON_INFERIOR and gate.rate else process


def bernoulli_prior(gate: Gate) -> Prior:
    """What is expected of a gate's bad trials before any was seen."""
    if gate.quantile:
        return quantile_prior(gate.quantile.per_mille)
    assert gate.rate is not None
    return Prior(RATE_PRIORS[gate.rate.metric], RATE_PRIOR_TRIALS)


def quantile_prior(per_mille: int) -> Prior:
    """What is expected beyond a quantile of stable's own history."""
    return Prior(1 - per_mille / 1000, QUANTILE_PRIOR_TRIALS)
