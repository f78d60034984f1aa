"""The benchmark: its vectorised processes equal the operator's, and each peer's rule does what its source says."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks.canary_policies import replay
from benchmarks.canary_policies.policies import ours, peers
from benchmarks.canary_policies.policies.outcome import RampOutcome
from benchmarks.canary_policies.policies.vectors import Bernoulli, Contrast, LabelSwapVector, ObjectiveVector
from benchmarks.canary_policies.world import traffic
from benchmarks.canary_policies.world.scenarios import TRAFFIC_LADDER, ScenarioMetric
from benchmarks.canary_policies.world.traffic import Minutes, SimulatedTraffic

from pitwall_crds.rollout.gate import Dependence, Gate
from pitwall_operator.evidence.basis.counts import Counts, Tally
from pitwall_operator.evidence.basis.null_boundary import Claim, NullBoundary
from pitwall_operator.evidence.bernoulli import BernoulliProcess, Prior
from pitwall_operator.evidence.contrast import ContrastProcess, Measure
from pitwall_operator.evidence.label_swap import LabelSwapProcess
from pitwall_operator.evidence.objective import ObjectiveBlocks, ObjectiveProcess
from pitwall_operator.gates.processes import fresh_processes, non_inferiority_key

PRIOR = Prior(0.05, 10.0)
ROOT = Path(__file__).parents[4]
NEVER = float("inf")


def pairs_of_processes(runs):
    for line, claim in [
        (NullBoundary(), Claim.HARM),
        (NullBoundary(ratio=1.1), Claim.HARM),
        (NullBoundary(offset=0.25), Claim.HARM),
        (NullBoundary(ratio=1.5), Claim.NON_INFERIOR),
        (NullBoundary(offset=0.02), Claim.NON_INFERIOR),
    ]:
        yield Bernoulli(line, claim, PRIOR, runs), [BernoulliProcess.start(line, claim, PRIOR)] * runs
        if claim is Claim.NON_INFERIOR:
            yield Contrast(line, claim, runs), [ContrastProcess(line, claim, Measure.RATE)] * runs
    for ratio in (1.0, 1.1):
        yield LabelSwapVector(ratio, runs), [LabelSwapProcess(ratio)] * runs


def test_vectorised_processes_equal_the_scalar_ones_block_by_block():
    runs, draw = 4, np.random.default_rng(8)
    blocks = []
    for _ in range(60):
        trials = draw.poisson(8, runs)
        blocks.append((trials, draw.binomial(trials, 0.1), draw.binomial(trials, [0.05, 0.1, 0.2, 0.5])))
    for vector, scalars in pairs_of_processes(runs):
        for trials, control, candidate in blocks:
            vector.update(trials, control, candidate)
            counts = [Counts(Tally(n, a), Tally(n, b)) for n, a, b in zip(trials, control, candidate, strict=True)]
            scalars[:] = [scalar.update(block) for scalar, block in zip(scalars, counts, strict=True)]
            assert vector.log_e == pytest.approx([scalar.log_e for scalar in scalars], rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("claim", list(Claim))
@pytest.mark.parametrize("dependence", list(Dependence))
def test_vectorised_objectives_equal_the_scalar_ones(claim, dependence):
    draw, kind = np.random.default_rng(8), ObjectiveBlocks if dependence is Dependence.BLOCK else ObjectiveProcess
    vector, scalars = ObjectiveVector(0.1, claim, dependence, 3), [kind.start(0.1, claim)] * 3
    for _ in range(40):
        bad = draw.binomial(20, [0.02, 0.1, 0.3])
        vector.update(np.full(3, 20), bad, bad)
        scalars = [one.update(Counts(objective=Tally(20, count))) for one, count in zip(scalars, bad, strict=True)]
        assert vector.log_e == pytest.approx([scalar.log_e for scalar in scalars], rel=1e-7, abs=1e-7)


def test_vectorised_processes_equal_the_scalar_ones_for_arms_of_different_sizes():
    draw = np.random.default_rng(8)
    for line, claim in [
        (NullBoundary(), Claim.HARM),
        (NullBoundary(ratio=2), Claim.NON_INFERIOR),
        (NullBoundary(offset=0.1), Claim.HARM),
    ]:
        vector, scalar = Bernoulli(line, claim, PRIOR, 1), BernoulliProcess.start(line, claim, PRIOR)
        for _ in range(40):
            sizes = draw.poisson([50, 4])
            control, candidate = draw.binomial(sizes, 0.1)
            vector.update(sizes[1:], np.array([control]), np.array([candidate]), sizes[:1])
            scalar = scalar.update(Counts(Tally(sizes[0], control), Tally(sizes[1], candidate)))
            assert vector.log_e[0] == pytest.approx(scalar.log_e, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("dependence", list(Dependence))
@pytest.mark.parametrize("metric", [ScenarioMetric.LATENCY, ScenarioMetric.ERRORS])
def test_what_lets_a_candidate_pass_equals_the_gates_own_proof_and_begins_anew_with_a_stage(metric, dependence):
    gate = Gate(name="gate", dependence=dependence, promote_margin_percent=(50,), **ours.RULES[metric])
    key, draw = non_inferiority_key(gate, dependence, 0), np.random.default_rng(3)
    vector = ours.roles(metric, dependence, 2, (50,)).proofs[0]
    scalars = [fresh_processes(gate)[key]] * 2
    for block in range(80):
        if block == 30:  # the second run enters a stage
            vector.restart(np.array([False, True]))
            scalars[1] = fresh_processes(gate)[key]
        trials = draw.poisson(200, 2)
        control, candidate = draw.binomial(trials, 0.02), draw.binomial(trials, 0.02)
        vector.update(trials, control, candidate)
        counts = [Counts(Tally(n, a), Tally(n, b)) for n, a, b in zip(trials, control, candidate, strict=True)]
        scalars = [scalar.update(one) for scalar, one in zip(scalars, counts, strict=True)]
        peaks = [scalar.peak_log_e for scalar in scalars]
        assert vector.peak_log_e == pytest.approx(peaks, rel=1e-6, abs=1e-6)
    assert max(peaks) > 0


def minutes(candidate, control=None, reachable=None, baseline=1.0):
    candidate = np.array([candidate], float)
    control = np.ones_like(candidate) if control is None else np.array([control], float)
    seen = np.ones(candidate.shape[1], bool) if reachable is None else np.array(reachable, bool)
    nothing = np.zeros(candidate.shape, int)
    return Minutes(control, candidate, baseline, seen, nothing, np.stack([nothing, nothing]))


GOOD, BAD, NONE = 1.0, 9.0, float("nan")
LIMIT = 2.0


@pytest.mark.parametrize(
    ("values", "threshold", "off", "promoted"),
    [
        pytest.param([GOOD] * 30, 1, NEVER, 1800, id="thirty-good-checks-promote"),
        pytest.param([GOOD, BAD], 1, 120, NEVER, id="the-default-threshold-is-one"),
        pytest.param([BAD, GOOD] * 5, 5, 540, NEVER, id="good-checks-forgive-nothing"),
        pytest.param([GOOD, NONE], 1, 120, NEVER, id="no-value-is-a-failed-check"),
        pytest.param([BAD] * 4 + [GOOD] * 30, 5, NEVER, 2040, id="a-failed-check-halts-the-advance"),
    ],
)
def test_flagger(values, threshold, off, promoted):
    times = peers.flagger(minutes(values), LIMIT, threshold=threshold)
    assert (times[0][0], times[1][0]) == (off, promoted)


def test_flagger_counts_an_unreachable_prometheus_as_failed():
    times = peers.flagger(minutes([GOOD] * 6, reachable=[1, 0, 0, 0, 0, 0]), LIMIT, threshold=5)
    assert times[0][0] == 360


@pytest.mark.parametrize(
    ("values", "reachable", "limit", "off", "promoted"),
    [
        pytest.param([GOOD] * 30, None, 3, NEVER, 1800, id="thirty-measurements-complete-it"),
        pytest.param([BAD, GOOD] * 15, None, 3, 420, 1800, id="failures-add-up-beyond-the-limit"),
        pytest.param([BAD], None, 0, 60, NEVER, id="the-default-limit-is-zero"),
        pytest.param([NONE], None, 0, 60, NEVER, id="nan-fails-a-success-condition"),
        pytest.param([GOOD, GOOD, GOOD], [1, 0, 1], 3, 100, NEVER, id="five-errors-in-a-row-abort-after-40-s"),
    ],
)
def test_argo(values, reachable, limit, off, promoted):
    times = peers.argo(minutes(values, reachable=reachable), LIMIT, failure_limit=limit)
    assert (times[0][0], times[1][0]) == (off, promoted)


def test_kayenta_needs_the_whole_interval_above_a_quarter_of_the_estimate():
    control = np.arange(20.0)[None, :]
    assert not peers.is_high(control, control + 0.1)[0]
    assert peers.is_high(control, control + 40)[0]
    # shift 40 ± 20: the estimate is 40, but the interval of a few values is wide
    assert not peers.is_high(control[:, :2], control[:, :2] + 40)[0]


def test_kayenta_judges_every_five_minutes_and_fails_a_metric_without_data():
    slow = minutes([9.0 + i / 100 for i in range(30)], control=[1 + i / 100 for i in range(30)])
    assert peers.kayenta(slow)[0][0] == 300
    silent = minutes([GOOD] * 10, reachable=[0] * 10)
    assert peers.kayenta(silent)[0][0] == 300


def test_z_test_alarms_beyond_the_one_sided_percent():
    trials = np.full((1, 30), 100)
    bad = np.stack([np.full((1, 30), 2), np.full((1, 30), 5)])
    seen = minutes([GOOD] * 30)
    times = peers.z_test(Minutes(seen.control, seen.candidate, 1.0, seen.reachable, trials, bad))
    # (5 − 2)·t / sqrt(2 · 0.035 · 0.965 · 100 t) passes 2.326 in the fifth minute
    assert times[0][0] == 300


def test_whoever_decides_first_decides():
    trials = np.full((2, 24), 10)
    outcome = RampOutcome.of(np.array([60.0, 90.0]), np.array([90.0, 60.0]), trials)
    assert outcome.off.tolist() == [60, NEVER]
    assert outcome.promoted.tolist() == [NEVER, 60]
    assert outcome.exposed[0] == 120


def test_sample_p99_given_the_count_beyond_an_edge_follows_the_law():
    world = SimulatedTraffic(TRAFFIC_LADDER[0], 20_000, 1, seed=4)
    trials = np.full(20_000, 500)
    control, _ = world.block(0, trials)
    tail = world.tail(control, trials, np.ones(20_000), world.edges[0])
    direct = np.sort(np.exp(0.6 * world.draw.standard_normal((20_000, 500))), axis=1)[:, 494]
    assert np.quantile(tail, [0.1, 0.5, 0.9]) == pytest.approx(np.quantile(direct, [0.1, 0.5, 0.9]), rel=0.02)


def test_the_same_seed_gives_the_same_traffic():
    rates = np.full(3, 100.0)
    one, other = (
        traffic.record(TRAFFIC_LADDER[3], per_minute=rates, rest=rates / 100, runs=5, seed=9)[0] for _ in range(2)
    )
    assert (one.candidate == other.candidate).all()


def test_histogram_quantile_interpolates_as_prometheus_does():
    assert replay.histogram_quantile([0.5, 1, 2], np.array([0, 90, 100, 100]), 0.95) == 1.5
    assert np.isnan(replay.histogram_quantile([0.5, 1, 2], np.zeros(4), 0.95))


@pytest.mark.slow
def test_recorded_streams_are_judged_from_the_command_line(tmp_path):
    lines = [{"metric": "latency", "per_mille": 990, "edges": [1, 2, 4], "history": [9000, 9950, 9999, 10_000]}]
    for block in range(60):
        slow = {"histogram": [30, 40, 44, 50]}
        lines.append({"seconds": 5 * block + 5, "control": {"histogram": [45, 50, 50, 50]}, "candidate": slow})
    lines.insert(4, {"seconds": 18, "missing": "Prometheus did not answer"})
    stream = tmp_path / "slow.jsonl"
    stream.write_text("\n".join(json.dumps(line) for line in lines))
    command = [sys.executable, "-m", "benchmarks.canary_policies", "--streams", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    found = {line["policy"]: line["events"] for line in map(json.loads, done.stdout.splitlines())}
    decisions = [event["decision"] for event in found["pitwall, Block"]]
    assert decisions == ["Inconclusive", "Unmeasured", "Inconclusive", "Harmful"]
    assert found["flagger, threshold 1"] == [{"seconds": 60.0, "decision": "roll back"}]
