"""What an arm's shares and means vary by where users, not questions, are the independent units."""

import random
import statistics

import pytest

from pitwall_crds.edges import LATENCY_EDGES
from pitwall_crds.names import MEAN, Arm, Metric, Quantity, TrialKind
from pitwall_gateway.counting.clusters import FEW, Clusters
from pitwall_gateway.counting.gauges.clusters import ClustersGauge
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.shares import ShareRule, Shares
from pitwall_gateway.values.speaker import Party, Speaker

CANDIDATE = ArmSeries("aks-v2", Arm.CANDIDATE, "run-1")


def drawn(seed, users=30, questions=2000, sigma=0.8):
    draw = random.Random(seed)
    slow = [draw.lognormvariate(0, sigma) for _ in range(users)]
    return [(f"user-{(u := draw.randrange(users))}", slow[u] * draw.lognormvariate(0, 0.6)) for _ in range(questions)]


def counted(trials, capacity=1000):
    clusters = Clusters(capacity)
    for person, seconds in trials:
        clusters.showed(person, {Quantity.LATENCY: seconds})
    return clusters


def errors(clusters, quantity=Quantity.LATENCY):
    return {error.edge: error for name, error in clusters.errors() if name == quantity}


def by_hand(trials, value):
    """Both standard errors, from the definition."""
    values = [value(seconds) for _, seconds in trials]
    mean, residuals = statistics.fmean(values), {}
    for (person, _), each in zip(trials, values, strict=True):
        residuals.setdefault(person, []).append(each - mean)
    of_trials = sum(residual**2 for user in residuals.values() for residual in user) ** 0.5
    of_users = sum(sum(user) ** 2 for user in residuals.values()) ** 0.5
    return of_trials / len(trials), of_users / len(trials)


@pytest.mark.parametrize("seed", range(3))
def test_sums_that_are_kept_up_say_what_a_loop_over_all_users_would(seed):
    trials = drawn(seed)
    told = errors(counted(trials))

    assert len(told) > 20
    for edge, error in told.items():
        value = (lambda seconds: seconds) if edge is None else (lambda seconds, edge=edge: float(seconds > edge))
        assert (error.of_trials, error.of_users) == pytest.approx(by_hand(trials, value))


def test_trials_of_nobody_are_independent_ones():
    told = errors(counted([("", seconds) for _, seconds in drawn(1)]))

    assert all(error.of_users == pytest.approx(error.of_trials) for error in told.values())


def test_few_users_who_differ_make_a_share_vary_more_than_many_do():
    few, many = (errors(counted(drawn(2, users)))[LATENCY_EDGES[60]] for users in (20, 1000))

    assert few.of_users > 3 * few.of_trials
    assert many.of_users < 1.5 * many.of_trials


def test_users_with_most_of_the_questions_are_few():
    trials = [("one", 1.0)] * 90 + [(f"user-{number}", 1.0) for number in range(10)]

    assert dict(counted(trials).users())[Quantity.LATENCY] == pytest.approx(100**2 / (90**2 + 10))


def test_nothing_is_said_of_an_edge_beyond_which_hardly_any_trial_lies():
    trials = drawn(3)
    beyond = {edge: sum(seconds > edge for _, seconds in trials) for edge in LATENCY_EDGES}

    assert errors(counted(trials)).keys() - {None} == {
        edge for edge, number in beyond.items() if FEW <= number <= len(trials) - FEW
    }


def test_whoever_was_forgotten_comes_as_another():
    trials = drawn(4, users=30)
    assert errors(counted(trials, capacity=3))[None].of_users < errors(counted(trials))[None].of_users


def test_means_and_rates_are_told_without_an_edge():
    clusters = Clusters()
    for number in range(100):
        clusters.showed(f"user-{number % 5}", {Quantity.TOKENS: 100.0 * (number % 5), "error": float(number % 5 == 0)})

    for name in (Quantity.TOKENS, "error"):
        (error,) = errors(clusters, name).values()
        assert error.edge is None
        assert error.of_users == pytest.approx(error.of_trials * 20**0.5)


@pytest.mark.parametrize(
    ("arm", "kind", "told"),
    [
        pytest.param(Arm.CANDIDATE, TrialKind.QUESTION, True, id="a candidate's questions"),
        pytest.param(Arm.CONTROL, TrialKind.QUESTION, True, id="the control's"),
        pytest.param(Arm.STABLE, TrialKind.QUESTION, False, id="those of all others are many"),
        pytest.param(Arm.SHADOW, TrialKind.COPY, False, id="copies are compared with the same question"),
    ],
)
def test_the_gauges_tell_of_both_arms(arm, kind, told):
    shares, series = Shares(ShareRule(), lambda _: 1.0), ArmSeries("aks-v2", arm, "run-1")
    for person, seconds in drawn(5):
        party = Party("web", person)
        assert shares.take(series, kind, party) is None
        shares.opened(series, kind, party)
        shares.ended(series, kind, party, {Quantity.LATENCY: seconds})

    errors, users = ClustersGauge(shares).collect()
    assert (errors.name, users.name) == (Metric.EVIDENCE_ERROR, Metric.EVIDENCE_USERS)
    assert bool(errors.samples) is bool(users.samples) is told
    if told:
        edges = {sample.labels["edge"] for sample in errors.samples}
        assert {MEAN, "1.024"} <= edges
        assert {sample.labels["unit"] for sample in errors.samples} == {"query", "user"}


def test_who_asks_through_several_applications_is_one_user():
    """Their arm was drawn once."""
    shares = Shares(ShareRule(user=0.5), lambda _: 1.0)
    for number in range(80):
        party = Speaker(f"app-{number % 4}").party(f"user-{number // 4}")
        assert shares.take(CANDIDATE, TrialKind.QUESTION, party) is None
        shares.opened(CANDIDATE, TrialKind.QUESTION, party)
        shares.ended(CANDIDATE, TrialKind.QUESTION, party, {Quantity.LATENCY: 0.1})

    [(_, known)] = shares.clusters()
    assert dict(known.users())[Quantity.LATENCY] == pytest.approx(20)
