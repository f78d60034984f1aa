"""Measures how many trials each kind of proof takes, for people who plan a rollout."""

from collections.abc import Iterator

import numpy as np
from benchmarks.canary_policies.policies.vectors import Bernoulli, Contrast, ObjectiveVector

from pitwall_crds.rollout.gate import Dependence, Gate, RateMetric, RateRule
from pitwall_crds.rollout.rollout import Analysis
from pitwall_operator.evidence.basis.null_boundary import Claim, NullBoundary
from pitwall_operator.evidence.bernoulli import Prior
from pitwall_operator.gates.budget import OBJECTIVE_HARM, harm_log_threshold, promotion_log_threshold

TRIALS, RUNS, BLOCKS = 50, 400, 2400
RATES = (0.01, 0.2)
MARGINS = (200, 100, 50, 25)
LIMIT = 0.01
ABOVE_AND_BELOW = ((0.03, Claim.HARM), (0.02, Claim.HARM), (0.002, Claim.NON_INFERIOR), (0.0, Claim.NON_INFERIOR))


def proofs(runs: int = RUNS) -> list[dict]:
    """Every question with the median and the 90th percentile, over so many runs, of the trials that its proof took."""
    draw = np.random.default_rng(1)
    gate = Gate(name="gate", rate=RateRule(metric=RateMetric.ERRORS, objective_basis_points=100))
    analysis = Analysis(gates=(gate,))
    limits = {
        Claim.HARM: harm_log_threshold(gate, analysis, OBJECTIVE_HARM),
        Claim.NON_INFERIOR: promotion_log_threshold(analysis),
    }
    return [*_margins(draw, limits[Claim.NON_INFERIOR], runs), *_objectives(draw, limits, runs)]


def _margins(draw: np.random.Generator, threshold: float, runs: int) -> Iterator[dict]:
    for rate in RATES:
        for margin in MARGINS:
            boundary = NullBoundary(ratio=1 + margin / 100)
            for dependence, process in (
                (Dependence.QUERY, Bernoulli(boundary, Claim.NON_INFERIOR, Prior(rate, TRIALS), runs)),
                (Dependence.BLOCK, Contrast(boundary, Claim.NON_INFERIOR, runs)),
            ):
                question = f"equal at {100 * rate:g} %: at most {margin} % worse"
                yield _row(question, dependence, _needed(process, threshold, draw, (rate, rate), runs))


def _objectives(draw: np.random.Generator, thresholds: dict[Claim, float], runs: int) -> Iterator[dict]:
    for rate, claim in ABOVE_AND_BELOW:
        for dependence in Dependence:
            process = ObjectiveVector(LIMIT, claim, dependence, runs)
            question = f"{100 * rate:g} %: {'above' if claim is Claim.HARM else 'below'} the objective of {LIMIT:.0%}"
            yield _row(question, dependence, _needed(process, thresholds[claim], draw, (rate, rate), runs))


def _needed(
    process: object, threshold: float, draw: np.random.Generator, rates: tuple[float, float], runs: int
) -> np.ndarray:
    """Trials per arm until the proof, infinity if it did not come."""
    needed = np.full(runs, np.inf)
    trials = np.full(runs, TRIALS)
    for block in range(1, BLOCKS + 1):
        process.update(trials, *(draw.binomial(trials, rate) for rate in rates))
        needed = np.where(process.log_e >= threshold, np.minimum(needed, block * TRIALS), needed)
        if np.isfinite(needed).all():
            break
    return needed


def _row(question: str, dependence: Dependence, needed: np.ndarray) -> dict:
    median, most = (float(np.quantile(needed, share, method="higher")) for share in (0.5, 0.9))
    return {
        "question": question,
        "dependence": str(dependence),
        "trials_p50": median if np.isfinite(median) else None,
        "trials_p90": most if np.isfinite(most) else None,
    }
