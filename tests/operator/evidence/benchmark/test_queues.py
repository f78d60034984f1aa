"""The benchmark's queues: completion times equal those of a slow event loop, and what is counted is what was known."""

from collections import deque
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
import pytest
from benchmarks.canary_policies.policies.vectors import Bernoulli, BothVector
from benchmarks.canary_policies.queues import evaluate
from benchmarks.canary_policies.queues.counting.capped import trials
from benchmarks.canary_policies.queues.counting.counts import STEP_SECONDS, candidate_edges, count, edges_of
from benchmarks.canary_policies.queues.counting.labels import Labelling, label
from benchmarks.canary_policies.queues.grid import QUICK, Measured, QueueCell, cells, groups
from benchmarks.canary_policies.queues.judging import judge, passing
from benchmarks.canary_policies.queues.judging.twins import (
    ArmsBlock,
    CarriedVector,
    MeanVector,
    SwapVector,
    TrialsVector,
    UsersVector,
)
from benchmarks.canary_policies.queues.labelled import labelled_counts
from benchmarks.canary_policies.queues.simulate import QueueCounts, complete, simulate, stable_history
from benchmarks.canary_policies.queues.world import trace
from benchmarks.canary_policies.queues.world.pods import FAR, Stalls, completions, draw_stalls
from benchmarks.canary_policies.queues.world.questions import (
    CANDIDATE,
    CONTROL,
    STABLE,
    QueueQuestions,
    activity,
    draw_questions,
)
from benchmarks.canary_policies.queues.world.scenario import Effect, QueueScenario

from pitwall_crds.names import Signal
from pitwall_crds.rollout.gate import Dependence
from pitwall_gateway.counting.users.shares import USER_SHARE
from pitwall_operator.evidence.basis.counts import Counts, EdgeTallies, Tally
from pitwall_operator.evidence.basis.null_boundary import Claim, NullBoundary
from pitwall_operator.evidence.basis.spread import ArmsSpread, UserSpread
from pitwall_operator.evidence.bernoulli import BernoulliProcess, Prior
from pitwall_operator.evidence.clusters import UsersProcess
from pitwall_operator.evidence.conjunction import BothProcess
from pitwall_operator.evidence.label_swap import LabelSwapProcess
from pitwall_operator.evidence.mixture import MeanProcess
from pitwall_operator.evidence.views import AtEdge, Carried
from pitwall_operator.gates.processes import LEAST_TRIALS, fresh_processes, further_edges, harm_key, non_inferiority_key

TINY = 1e-9
OWN = Prior(0.1, 50.0)


@dataclass
class SlowPod:
    stalls: list
    slots: int
    line: deque = field(default_factory=deque)
    running: dict = field(default_factory=dict)

    def is_stalled(self, now):
        return any(begin <= now < begin + length for begin, length in self.stalls)

    def next_event(self, now):
        edges = [edge for begin, length in self.stalls for edge in (begin, begin + length) if edge > now]
        ends = [] if self.is_stalled(now) else [now + left for left in self.running.values()]
        return min([*edges, *ends], default=float("inf"))

    def advance(self, now, then, done):
        if not self.is_stalled(now):
            for name in list(self.running):
                self.running[name] -= then - now
                if self.running[name] <= TINY:
                    done[name] = then
                    del self.running[name]
        while not self.is_stalled(then) and self.line and len(self.running) < self.slots:
            name, size = self.line.popleft()
            self.running[name] = size

    def take(self, name, size, now):
        self.line.append((name, size))
        self.advance(now, now, {})


def event_loop(arrivals, sizes, stalls, slots):
    """Second by second, job by job, as one would write it down: the pods of one run."""
    pods = [SlowPod(list(stall), slots) for stall in stalls]
    done, now, waiting, turn = {}, 0.0, deque(enumerate(zip(arrivals, sizes, strict=True))), 0
    while len(done) < len(arrivals):
        arrival = waiting[0][1][0] if waiting else float("inf")
        then = min(arrival, *(pod.next_event(now) for pod in pods))
        for pod in pods:
            pod.advance(now, then, done)
        now = then
        if now == arrival:
            name, (_, size) = waiting.popleft()
            turn += 1
            turned = [pods[(turn + offset) % len(pods)] for offset in range(len(pods))]
            min(turned, key=lambda pod: len(pod.line) + len(pod.running)).take(name, size, now)
    return [done[name] for name in range(len(arrivals))]


@pytest.mark.parametrize(("pods", "slots"), [(1, 1), (1, 4), (2, 1), (3, 2)])
def test_completion_times_equal_those_of_an_event_loop_with_stalls(pods, slots):
    draw, runs, number = np.random.default_rng(pods * 10 + slots), 3, 150
    arrivals = np.sort(draw.uniform(0, 100 / (pods * slots), (number, runs)), axis=0)
    sizes = draw.lognormal(-0.8, 0.6, (number, runs))
    stalls = draw_stalls((runs, pods), 4.0, 20.0, 200.0, draw)
    done, _ = completions(arrivals, sizes, stalls, slots)
    for run in range(runs):
        pairs = [list(zip(stalls.begin[run, pod], stalls.length[run, pod], strict=True)) for pod in range(pods)]
        assert done[:, run] == pytest.approx(event_loop(arrivals[:, run], sizes[:, run], pairs, slots), abs=1e-6)


def test_nothing_begins_or_ends_while_a_pod_stalls():
    stalls = Stalls(np.full((1, 1, 1), 10.0), np.full((1, 1, 1), 5.0))
    arrivals, sizes = np.array([[9.0], [9.5], [12.0], [16.0], [FAR]]), np.array([[1.0], [1.0], [1.0], [1.0], [0.0]])
    assert completions(arrivals, sizes, stalls, 2)[0][:4, 0] == pytest.approx([10.0, 15.5, 16.0, 17.0])


def one_run(at, arm, size):
    number = len(at)
    zeros = np.zeros(number, int)
    return QueueQuestions(
        zeros,
        np.array(at),
        zeros,
        np.array(arm),
        np.array(size),
        np.zeros(number, bool),
        np.ones(number, bool),
        np.zeros(number),
        1,
    )


def test_an_open_question_counts_as_beyond_an_edge_as_soon_as_it_is_older():
    questions = one_run([1.0, 1.0, 3.0], [CANDIDATE] * 3, [30.0, 0.5, 5.0])
    counts = count(questions, questions.at + questions.size, (4.0, 10.0), CANDIDATE, (1, 20))
    steps = [np.flatnonzero(counts.beyond[edge, 0]).tolist() for edge in (0, 1)]
    assert steps == [[int(5 / STEP_SECONDS), int(7 / STEP_SECONDS)], [int(11 / STEP_SECONDS)]]
    assert counts.within[:, 0].sum(axis=1).tolist() == [1, 2]
    assert counts.trials[:, 0].sum(axis=1).tolist() == [3, 3]


def test_every_question_becomes_one_trial_at_every_edge():
    scenario = QueueScenario("all", seconds=1200.0, stall_seconds=3.0, dedicated=True)
    counts = simulate(scenario, 4, 7, (1.0, 2.0, 6.0))
    for arm in (counts.control, counts.candidate, counts.stable):
        asked, known = arm.asked.sum(axis=1), arm.trials.sum(axis=2)
        assert (known <= asked).all()
        assert (known >= asked - 20 - asked // 10).all()


def test_a_share_of_users_asks_most_questions_and_stays_on_its_arm():
    scenario = QueueScenario("sticky", sticky=True, seconds=3600.0)
    questions = draw_questions(scenario, 3, np.random.default_rng(3))
    shares = np.sort(activity(1000))[::-1]
    assert shares[:10].sum() == pytest.approx(0.3)
    for run in range(3):
        mine = questions.run == run
        arms = {}
        for user, arm in zip(questions.user[mine], questions.arm[mine], strict=True):
            assert arms.setdefault(user, arm) == arm
        most = np.sort(np.bincount(questions.user[mine], minlength=questions.users))[::-1]
        assert most[: questions.users // 100].sum() / most.sum() > 0.25


def test_no_user_is_more_than_the_gateways_share_of_an_arm():
    questions = draw_questions(QueueScenario("sticky", sticky=True, seconds=3600.0), 2, np.random.default_rng(3))
    is_trial = trials(questions, questions.at + questions.size)
    for run, arm in product((0, 1), (CONTROL, CANDIDATE)):
        mine = (questions.run == run) & (questions.arm == arm)
        asked, counted = (np.bincount(questions.user[which]) for which in (mine, mine & is_trial))
        assert asked.max() / asked.sum() > USER_SHARE
        assert counted.max() <= max(10, USER_SHARE * counted.sum())
    assert is_trial[questions.arm == STABLE].all()


def test_arms_of_the_same_law_are_equally_loaded_and_stable_is_half_busy():
    scenario = QueueScenario("busy", rps=4.0, weight=0.25)
    questions = draw_questions(scenario, 20, np.random.default_rng(5))
    busy = questions.size.sum() / (20 * scenario.seconds * scenario.stable_pods * 4)
    assert busy == pytest.approx(0.5, rel=0.05)
    number = np.bincount(questions.arm, minlength=3) / len(questions.arm)
    assert number == pytest.approx([0.25, 0.25, 0.5], abs=0.01)


def test_the_tail_effect_doubles_the_ninety_ninth_percentile_of_service_times_and_not_the_median():
    scenario = QueueScenario("tail", rps=20.0, weight=0.5, effect=Effect(tail=2.0))
    questions = draw_questions(scenario, 4, np.random.default_rng(6))
    sizes = [questions.size[questions.arm == arm] for arm in (CONTROL, CANDIDATE)]
    ratio = [np.percentile(sizes[1], level) / np.percentile(sizes[0], level) for level in (50, 99)]
    assert ratio == pytest.approx([1.0, 2.0], rel=0.03)


@pytest.mark.parametrize(
    ("burstiness", "per_second", "fano"),
    [(trace.CONVERSATION, 5.53, {1: 1.39, 60: 16.1}), (trace.CODING, 2.57, {1: 13.2, 5: 47.5, 30: 124.0})],
)
def test_drawn_arrivals_are_as_bursty_as_the_trace_that_was_fitted(burstiness, per_second, fano):
    runs, seconds = 60, 3600
    run, at = trace.arrivals(burstiness, per_second, seconds, runs, np.random.default_rng(2))
    for window, expected in fano.items():
        numbers = np.bincount(run * (seconds // window) + (at / window).astype(int), minlength=runs * seconds // window)
        assert numbers.var() / numbers.mean() == pytest.approx(expected, rel=0.35)


def test_edges_are_bucket_edges_above_the_quantiles_and_the_candidates_a_margin_further():
    edges = edges_of(np.linspace(0, 10, 1001))
    assert [edge >= quantile for edge, quantile in zip(edges, (5.0, 7.5, 9.0, 9.5, 9.9), strict=True)] == [True] * 5
    assert all(further >= 1.1 * edge for edge, further in zip(edges, candidate_edges(edges), strict=True))


def test_the_same_seed_gives_the_same_counts_and_edges():
    scenario = replace(QueueScenario("again", seconds=600.0), stall_seconds=3.0)
    first, second = (simulate(scenario, 3, 11, stable_history(scenario, 11).edges) for _ in range(2))
    assert first.edges == second.edges
    assert (first.control.beyond == second.control.beyond).all()


def test_dedicated_pools_do_not_share_pods_with_stable():
    scenario = QueueScenario("apart", seconds=600.0, dedicated=True)
    draw = np.random.default_rng(1)
    questions = draw_questions(scenario, 2, draw)
    done, _ = complete(scenario, questions, 2, draw, with_stable=False)
    assert (done[questions.arm == STABLE] > FAR).all()
    assert (done[questions.arm != STABLE] < FAR).all()


def random_blocks(draw, runs, *, equal):
    for _ in range(80):
        edges = []
        for rate in (0.5, 0.1):
            control = draw.poisson(3, runs)
            candidate = control if equal else draw.poisson(5, runs)
            stable = draw.poisson(20, runs)
            edges.append(
                ArmsBlock(
                    (control, draw.binomial(control, rate)),
                    (candidate, draw.binomial(candidate, np.minimum(rate * 1.5, 1))),
                    (stable, draw.binomial(stable, rate)),
                )
            )
        yield edges


def tally(arm, run):
    return Tally(int(arm[0][run]), int(arm[1][run]))


def as_counts(edges, run):
    *further, own = (EdgeTallies(*(tally(arm, run) for arm in edge.arms())) for edge in edges)
    return Counts(own.control, own.candidate, stable=own.stable, shared=True, edges=tuple(further))


@pytest.mark.parametrize(("dependence", "equal"), [(Dependence.BLOCK, True), (Dependence.QUERY, False)])
def test_the_twins_of_a_gates_harm_equal_the_operators_process(dependence, equal):
    draw, runs = np.random.default_rng(12), 3
    further, own = Prior(0.5, 50.0), Prior(0.1, 50.0)
    trials = [BernoulliProcess.start(NullBoundary(), Claim.HARM, prior) for prior in (further, own)]
    scalar = MeanProcess((AtEdge(trials[0], 0), trials[1]))
    twin = MeanVector(TrialsVector(Bernoulli(NullBoundary(), Claim.HARM, prior, runs)) for prior in (further, own))
    if dependence is Dependence.BLOCK:
        scalar = BothProcess(MeanProcess((AtEdge(LabelSwapProcess(), 0), LabelSwapProcess())), scalar)
        twin = BothVector(MeanVector(SwapVector(1.0, runs, draw) for _ in trials), twin)
    carried, scalars = CarriedVector(twin, 3), [Carried(scalar, 3)] * runs
    for edges in random_blocks(draw, runs, equal=equal):
        carried.update(edges)
        scalars = [one.update(as_counts(edges, run)) for run, one in enumerate(scalars)]
        assert carried.log_e == pytest.approx([one.log_e for one in scalars], rel=1e-7, abs=1e-7)
    assert max(carried.log_e) > 1


def test_the_twin_asks_users_as_the_operators_process_does():
    draw, runs, nothing = np.random.default_rng(15), 4, (np.zeros(4, int), np.zeros(4, int))
    both = MeanVector(TrialsVector(Bernoulli(NullBoundary(), Claim.HARM, OWN, runs)) for _ in range(2))
    users = UsersVector(both, NullBoundary())
    bets = [BernoulliProcess.start(NullBoundary(), Claim.HARM, OWN) for _ in range(2)]
    scalars = [UsersProcess(MeanProcess((AtEdge(bets[0], 0), bets[1])))] * runs
    for number in range(12):
        edges = []
        for rate in (0.3, 0.1):
            of_arms = (draw.binomial(50, [rate * worse] * runs) for worse in (1, 1.8))
            edges.append(ArmsBlock(*((np.full(runs, 50), bad) for bad in of_arms), nothing))
        told = np.stack(
            [[[400 - 30 * number, 0.1, each, 25, shift, 1.0]] * 2 for each, shift in ((1.5, 0.0), (3.0, 0.05))]
        ).transpose(0, 2, 1)
        users.told = np.repeat(told[..., None], runs, axis=-1)
        users.told[1, 4] += 0.02
        users.told[:, 5, :, 3] = 0.0  # nothing of most users
        users.told[0, :, 0, 1] = users.told[:, :, :, 2] = np.nan  # one arm at an edge, and a whole run
        users.update(edges)
        for run in range(runs):
            spreads = tuple(as_spread(users.told[:, :, at, run]) for at in (1, 0))
            scalars[run] = scalars[run].update(replace(as_counts(edges, run), spreads=spreads))
        assert users.log_e == pytest.approx([one.log_e for one in scalars], rel=1e-7, abs=1e-7)
    assert users.process.log_e[0] > users.log_users()[0] > 1
    assert users.log_users()[2] == np.inf


def as_spread(told):
    return ArmsSpread(
        *(UserSpread() if np.isnan(arm[0]) else UserSpread(int(arm[0]), *arm[1:].tolist()) for arm in told)
    )


def test_the_twin_of_passing_equals_the_operators_process():
    draw, runs = np.random.default_rng(13), 3
    key = non_inferiority_key(judge.LATENCY, Dependence.BLOCK, 0)
    scalars = [fresh_processes(judge.LATENCY)[key]] * runs
    twin = judge.passing_proof(0, runs)
    for edges in random_blocks(draw, runs, equal=False):
        twin.update(edges)
        scalars = [one.update(as_counts(edges, run)) for run, one in enumerate(scalars)]
        assert twin.log_e == pytest.approx([one.log_e for one in scalars], rel=1e-7, abs=1e-7)
    assert max(twin.log_e) > 1


@pytest.mark.parametrize(("share", "passes"), [(0.05, True), (0.11, False)])
def test_the_proof_of_a_stage_lets_twins_pass_and_not_who_is_beyond_the_margin(share, passes):
    draw, trials = np.random.default_rng(14), np.full(8, 100)
    nothing, proof = (np.zeros(8, int), np.zeros(8, int)), judge.passing_proof(1, 8)
    for _ in range(100):
        arms = ((trials, draw.binomial(trials, rate)) for rate in (0.05, share))
        proof.update([ArmsBlock(*arms, nothing)])
    assert (proof.log_e >= judge.PASSING).tolist() == [passes] * 8


def test_a_candidate_is_made_as_slow_as_its_margin_and_hardly_passes():
    scenario = QueueScenario("on the margin", weight=0.1, seconds=2400.0, dedicated=True, arm_slots=8)
    row = passing.row_of(scenario, runs=10, pilot_runs=10)
    assert row["bad_ratio"] == pytest.approx(1 + row["margin_percent"] / 100, rel=0.5)
    assert (row["margin_percent"], row["passed"]) == (100, 0.0)
    assert row["slower"] > 1


def test_the_judge_asks_the_processes_that_a_gate_acts_on():
    key = harm_key(judge.LATENCY, Dependence.BLOCK)
    carried = fresh_processes(judge.LATENCY)[key]
    assert isinstance(carried, Carried)
    assert isinstance(carried.process, UsersProcess)
    assert isinstance(carried.process.process, BothProcess)
    assert carried.least == LEAST_TRIALS
    assert (*further_edges(judge.LATENCY), judge.LATENCY.quantile.per_mille) == judge.PER_MILLES


def test_the_ledger_labels_every_answer_once_per_query_and_bad_follow_ups_come_first():
    scenario = QueueScenario("labels", seconds=900.0, sticky=True)
    draw = np.random.default_rng(4)
    questions = draw_questions(scenario, 1, draw)
    done, _ = complete(scenario, questions, 1, draw)
    counted = label(questions, done, (1, 900), draw, Labelling())
    follow_ups = counted[(Signal.FOLLOW_UP, "query")]
    bad, good = (sum(part[arm].sum() for arm in part) for part in (follow_ups.bad, follow_ups.good))
    assert bad + good <= (done < 1800).sum()
    first = [np.flatnonzero(sum(part[arm][0] for arm in part))[0] for part in (follow_ups.bad, follow_ups.good)]
    assert first[0] < first[1]
    assert first[1] * STEP_SECONDS >= 120


def test_a_row_tells_how_many_were_flagged_off_and_whom_that_cost():
    scenario = QueueScenario("row", weight=0.5, seconds=1200.0, dedicated=True, effect=Effect(slower=4.0))
    rows = evaluate.rows_of([QueueCell(scenario, is_harmful=True)], runs=4)
    assert [row["mode"] for row in rows] == list(evaluate.MODES)
    for row in rows:
        assert row["off"] == 1.0
        assert 0 < row["exposed_p50"] < row["seconds_p90"] * scenario.rps * scenario.weight * 2
    sound = evaluate.rows_of([QueueCell(replace(scenario, name="sound", effect=Effect()))], runs=4)[0]
    assert (sound["off"], sound["off_upper"], sound["seconds_p50"]) == (0.0, pytest.approx(0.527, abs=0.001), None)


def test_cells_about_labels_of_the_same_traffic_are_recorded_once_and_judged_apart():
    usual = QueueScenario("", rps=4.0, weight=0.4, seconds=900.0, sticky=True)
    one, two = (
        QueueCell(replace(usual, name=name), Measured.THUMBS_DOWN, unit=unit)
        for name, unit in (("by query", "query"), ("by user", "user"))
    )
    rows = evaluate.rows_of([one, two], runs=2)
    assert [(row["scenario"], row["mode"], row["runs"]) for row in rows] == [
        (name, mode, 2)
        for name in ("by query", "by user")
        for mode in (evaluate.FIXED_DEFAULT, "Query, blocks of 30 s")
    ]
    by_query, by_user = labelled_counts([one, two], 2, 7)
    assert by_query.candidate.done.sum() > by_query.candidate.errors.sum() > 0
    assert by_user.candidate.done.sum() == 0  # their window of an hour is open
    assert sum(len(group) for group in groups(quick=False)) == len(cells(quick=False))


def test_a_ramp_goes_through_its_weights_one_after_the_other_and_its_row_says_so():
    base = QueueScenario("a ramp of twins", rps=4.0, weight=0.01, dedicated=True, seconds=1800.0)
    cell = QueueCell(base, ramp=(0.01, 0.1, 0.5))
    assert [(stage.weight, stage.seconds, stage.pods) for stage in cell.stages] == [
        (0.01, 600.0, 1), (0.1, 600.0, 1), (0.5, 600.0, base.stable_pods)
    ]  # fmt: skip
    stages = [simulate(stage, 3, 7, (1.0, 4.0), with_stable=False) for stage in cell.stages]
    whole = QueueCounts.one_after_the_other(stages)
    asked = whole.candidate.asked
    assert asked.shape == (3, int(1800 / STEP_SECONDS))
    assert (asked == np.concatenate([stage.candidate.asked for stage in stages], axis=1)).all()
    first, last = asked[:, : asked.shape[1] // 3].sum(), asked[:, -asked.shape[1] // 3 :].sum()
    assert last > 20 * first
    row = evaluate.rows_of([cell], runs=2)[0]
    assert (row["ramp"], row["hours"]) == ([0.01, 0.1, 0.5], 0.5)


def test_the_names_of_the_quick_table_are_in_the_whole_one():
    assert {cell.scenario.name for cell in cells(quick=True)} == QUICK
    names = [cell.scenario.name for cell in cells(quick=False)]
    assert len(names) == len(set(names))
