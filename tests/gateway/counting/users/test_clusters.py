"""What an arm's shares and means vary by where users, not questions, are the independent units."""

import random
import statistics

import pytest

from pitwall_crds.edges import LATENCY_EDGES
from pitwall_crds.names import MEAN, Arm, Metric, Outcome, Quantity, TrialKind
from pitwall_gateway.counting.gauges.clusters import ClustersGauge, OneUserCounter, ServedGauge
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.users import clusters as module
from pitwall_gateway.counting.users.clusters import FEW, Clusters
from pitwall_gateway.counting.users.most import of_most
from pitwall_gateway.counting.users.shares import ShareRule, Shares
from pitwall_gateway.values.speaker import Party, Speaker
from pitwall_operator.gates.counting.spreads import RATES

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


@pytest.mark.parametrize("edge", [None, LATENCY_EDGES[60]])
def test_what_most_users_show_is_told_without_the_few_who_differ_most(edge):
    trials = drawn(6, users=40)
    value = (lambda seconds: seconds) if edge is None else (lambda seconds: float(seconds > edge))
    told = errors(counted(trials))[edge].most
    mean = statistics.fmean(value(seconds) for _, seconds in trials)
    off = {person: sum(value(each) - mean for who, each in trials if who == person) for person, _ in trials}
    farthest = sorted(off, key=lambda person: abs(off[person]))[-2:]
    left = [trial for trial in trials if trial[0] not in farthest]
    value_of_most = statistics.fmean(value(seconds) for _, seconds in left)
    residuals = [
        sum(value(each) - value_of_most for who, each in left if who == person) for person in off.keys() - {*farthest}
    ]
    squares = sum(each**2 for each in residuals) + 2 * max(abs(each) for each in residuals) ** 2

    assert told.trials == len(left)
    assert told.shift == pytest.approx(value_of_most - mean)
    assert told.of_users == pytest.approx(squares**0.5 / len(left))
    assert told.of_trials == pytest.approx(by_hand(left, value)[0])


@pytest.mark.parametrize("quantity", [Quantity.TOKENS, "error"])
def test_two_users_who_show_what_nobody_else_does_change_nothing_of_what_most_show(quantity):
    draw = random.Random(7)
    others = [
        (f"user-{u % 400}", {Quantity.TOKENS: draw.lognormvariate(0, 0.5), "error": draw.random() < 0.05})
        for u in range(9000)
    ]
    odd = [(f"odd-{u % 2}", {Quantity.TOKENS: 0.0, "error": True}) for u in range(1000)]
    alone, beside = Clusters(), Clusters()
    for clusters, trials in ((alone, others), (beside, others + odd)):
        for person, shown in trials:
            clusters.showed(person, shown)
    told, plain = (errors(clusters, quantity)[None] for clusters in (beside, alone))

    assert told.of_users > 5 * plain.of_users
    assert told.most.of_users == pytest.approx(plain.of_users, rel=0.15)


def test_what_most_users_show_is_computed_anew_only_when_there_are_some_more_trials(monkeypatch):
    computed = []
    monkeypatch.setattr(module, "of_most", lambda *asked: computed.append(asked) or of_most(*asked))
    counting = counted(drawn(6, users=40))
    edges = len(errors(counting))

    assert len(computed) == edges == len(errors(counting)) > 20
    for person, seconds in drawn(7, users=40, questions=2000 // 64 + 1):
        counting.showed(person, {Quantity.LATENCY: seconds})
    assert len(errors(counting)) >= edges
    assert len(computed) >= 2 * edges


def test_nothing_is_said_of_most_where_hardly_anybody_is_left_or_passes_the_edge():
    assert errors(counted(drawn(8, users=4)))[None].most is None
    lonely = [(f"user-{u % 50}", 0.1) for u in range(1000)] + [("slow", 9.0)] * 30
    told = errors(counted(lonely))

    assert told[None].most
    assert {error.most for edge, error in told.items() if edge} == {None}


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

    errors, users, shifts = ClustersGauge(shares).collect()
    assert (errors.name, users.name) == (Metric.EVIDENCE_ERROR, Metric.EVIDENCE_USERS)
    assert shifts.name == Metric.EVIDENCE_SHIFT
    assert bool(errors.samples) is bool(users.samples) is bool(shifts.samples) is told
    if told:
        edges = {sample.labels["edge"] for sample in errors.samples}
        assert {MEAN, "1.024"} <= edges
        assert {sample.labels["unit"] for sample in errors.samples} == {"query", "user", "most-users", "query-of-most"}
        assert {sample.labels["edge"] for sample in shifts.samples} <= edges


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


def test_of_the_trials_beyond_an_edge_those_of_the_user_with_most_are_told_and_never_fall():
    draw, clusters, told, most = random.Random(9), Clusters(4), {}, {}
    for _ in range(400):
        person, seconds = draw.choice(("ann", "bob", "eve", "")), draw.lognormvariate(0, 1)
        clusters.showed(person, {Quantity.LATENCY: seconds, Outcome.ERROR: float(seconds > 2)})
        for edge in LATENCY_EDGES:
            most[edge, person] = most.get((edge, person), 0) + (seconds > edge)
        before, told = told, {(name, edge): trials for name, edge, trials in clusters.of_one()}
        assert all(told[at] >= trials for at, trials in before.items())

    for edge in LATENCY_EDGES:
        assert told.get((Quantity.LATENCY, edge), 0) == max(most[edge, user] for user in ("ann", "bob", "eve"))


def test_a_scrape_tells_what_one_user_has_of_an_arms_bad_trials():
    shares = Shares(ShareRule(), lambda _: 1.0)
    for person, failed in (("ann", True), ("ann", True), ("bob", True), ("bob", False), ("", True), ("", True)):
        party = Party("web", person)
        assert shares.take(CANDIDATE, TrialKind.QUESTION, party) is None
        shares.ended(CANDIDATE, TrialKind.QUESTION, party, {Outcome.ERROR: float(failed), Quantity.TOKENS: 900.0})
    (family,) = OneUserCounter(shares).collect()

    (sample,) = family.samples
    assert (sample.name, sample.value) == (Metric.EVIDENCE_ONE_USER, 2)
    assert (sample.labels["quantity"], sample.labels["edge"], sample.labels["arm"]) == ("error", MEAN, Arm.CANDIDATE)


def test_whom_an_arm_mostly_fails_is_told_beside_the_others_until_it_answers_them():
    shares = Shares(ShareRule(), lambda _: 1.0)

    def told():
        (family,) = ServedGauge(shares).collect()
        return {sample.labels["outcome"]: sample.value for sample in family.samples}

    def ask(person, *, failed):
        shares.take(CANDIDATE, TrialKind.QUESTION, Party("web", person))
        shares.ended(CANDIDATE, TrialKind.QUESTION, Party("web", person), {Outcome.ERROR: float(failed)})

    for person, failed in (("ann", True), ("ann", True), ("bob", False), ("eve", True), ("", True), ("", True)):
        ask(person, failed=failed)
    assert told() == {"error": 0, "ok": 3}
    ask("ann", failed=True)
    ask("", failed=True)
    assert told() == {"error": 1, "ok": 2}
    for _ in range(4):
        ask("ann", failed=False)
    assert told() == {"error": 0, "ok": 3}


def test_of_every_rate_of_questions_that_gates_weigh_it_is_known_what_users_differ_by():
    assert frozenset(RATES.values()) == module._HAPPENS
