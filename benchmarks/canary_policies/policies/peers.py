"""The policies of other tools (Flagger, Argo Rollouts, Kayenta, a z-test), written from their sources and defaults.

Flagger (fluxcd/flagger): pkg/controller/scheduler_metrics.go returns "failed" for a value outside thresholdRange, and
    also for an empty or NaN answer (ErrNoValuesFound) and for a query error; pkg/controller/scheduler.go adds one to
    status.failedChecks for it, halts the advance, and rolls back at failedChecks >= analysis.threshold (default 1; 5 in
    most of its documentation). A good check never lowers the count. The limit is looked at when the next check is due,
    an interval later; here it acts at once, in Flagger's favour.
Argo Rollouts (argoproj/argo-rollouts): analysis/analysis.go fails a metric at failed > failureLimit (default 0), and
    errs at consecutiveError > consecutiveErrorLimit (default 4); both abort (rollout/analysis.go). An error does not
    count as a measurement and is retried after 10 s. NaN with a successCondition alone is a failed measurement.
Kayenta (spinnaker/kayenta): MannWhitneyClassifier.scala with tolerance 0.25 and 98 % confidence
    (NetflixACAJudge.scala): a metric is High if the lower limit of the confidence interval of the shift exceeds a
    quarter of the Hodges-Lehmann estimate. NaN are removed; a metric without any data scores 0. The stage judges anew
    every analysisIntervalMins over a growing window, and a single failed metric scores 0.
z-test: what a careful script does: pooled two-proportion z-test of the bad events so far (slower than the stable's p99,
    or bad labels), one-sided at 1 %, each minute.

Fixed limits (Flagger, Argo) are k times the stable's long-run value, known without error: better than in practice.
"""

import numpy as np
from benchmarks.canary_policies.policies.outcome import NEVER, SECONDS_PER_MINUTE, RampOutcome, first_time
from benchmarks.canary_policies.world.traffic import Minutes

CHECKS = 30
"""Length of a peer's analysis: this many checks, a minute apart."""
KAYENTA_INTERVAL, KAYENTA_TOLERANCE, KAYENTA_Z = 5, 0.25, 2.3263478740408408
Z_LIMIT = 2.3263478740408408


def flagger(minutes: Minutes, limit: float, *, threshold: int) -> tuple[np.ndarray, np.ndarray]:
    """(seconds to rollback, seconds to promotion): failed checks add up; promotion needs CHECKS good ones."""
    with np.errstate(invalid="ignore"):
        good = (minutes.candidate <= limit) & minutes.reachable
    failed, passed = np.cumsum(~good, axis=1), np.cumsum(good, axis=1)
    return first_time(failed >= threshold, SECONDS_PER_MINUTE), first_time(passed >= CHECKS, SECONDS_PER_MINUTE)


def argo(minutes: Minutes, limit: float, *, failure_limit: int) -> tuple[np.ndarray, np.ndarray]:
    """The same for Argo Rollouts; within an unreachable minute the fifth error comes after 40 s."""
    with np.errstate(invalid="ignore"):
        good = minutes.candidate <= limit
    measured = np.broadcast_to(minutes.reachable, good.shape)
    failed = np.cumsum(measured & ~good, axis=1)
    errors = first_time(~measured, SECONDS_PER_MINUTE) - SECONDS_PER_MINUTE + 40
    off = np.minimum(first_time(failed > failure_limit, SECONDS_PER_MINUTE), errors)
    return off, first_time(np.cumsum(measured, axis=1) >= CHECKS, SECONDS_PER_MINUTE)


def kayenta(minutes: Minutes) -> tuple[np.ndarray, np.ndarray]:
    """The same for a Kayenta stage judging every five minutes over a growing window."""
    runs, count = minutes.candidate.shape
    off = np.full(runs, NEVER)
    for end in range(KAYENTA_INTERVAL, min(CHECKS, count) + 1, KAYENTA_INTERVAL):
        window = slice(0, end)
        seen = minutes.reachable[window]
        high = is_high(minutes.control[:, window][:, seen], minutes.candidate[:, window][:, seen])
        off = np.where(high, np.minimum(off, end * SECONDS_PER_MINUTE), off)
    return off, np.where(np.isfinite(off), NEVER, float(CHECKS * SECONDS_PER_MINUTE))


def is_high(control: np.ndarray, experiment: np.ndarray) -> np.ndarray:
    """Per run, whether Kayenta fails the metric, given (runs, values); NaN are left out."""
    runs = len(control)
    if not control.size:
        return np.ones(runs, bool)
    differences = np.sort((experiment[:, :, None] - control[:, None, :]).reshape(runs, -1), axis=1)
    m, n = (np.isfinite(values).sum(axis=1) for values in (experiment, control))
    pairs = m * n
    rank = np.floor(pairs / 2 - KAYENTA_Z * np.sqrt(pairs * (m + n + 1) / 12)).astype(int)
    rows, top = np.arange(runs), differences.shape[1] - 1
    lower = differences[rows, np.clip(rank, 0, top)]
    low, high = np.clip((pairs - 1) // 2, 0, top), np.clip(pairs // 2, 0, top)
    estimate = (differences[rows, low] + differences[rows, high]) / 2
    with np.errstate(invalid="ignore"):
        return (pairs == 0) | ((rank > 0) & (lower > KAYENTA_TOLERANCE * np.abs(estimate)))


def z_test(minutes: Minutes) -> tuple[np.ndarray, np.ndarray]:
    """The same for the repeated z-test on all counts so far; minutes that cannot be read are skipped."""
    trials = np.cumsum(minutes.trials * minutes.reachable, axis=1)
    control, candidate = np.cumsum(minutes.bad * minutes.reachable, axis=2)
    pooled = (control + candidate) / np.maximum(2 * trials, 1)
    error = np.sqrt(2 * pooled * (1 - pooled) * np.maximum(trials, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        score = np.where(error > 0, (candidate - control) / error, 0.0)
    off = first_time(score[:, :CHECKS] > Z_LIMIT, SECONDS_PER_MINUTE)
    return off, np.full(len(off), float(CHECKS * SECONDS_PER_MINUTE))


def outcome(times: tuple[np.ndarray, np.ndarray], trials: np.ndarray) -> RampOutcome:
    """A peer's times as an outcome."""
    return RampOutcome.of(*times, trials)
