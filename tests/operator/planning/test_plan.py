"""A plan grows longer with less traffic and narrower margins, and says where it never ends."""

import pytest

from pitwall_crds.rollout.rollout import RolloutSpec
from pitwall_operator.decision.weighing.closing import SETTLING_SECONDS
from pitwall_operator.gates.counting.blocks import UNKNOWN_SECONDS
from pitwall_operator.gates.counting.expected import GateNow, TrafficNow
from pitwall_operator.planning.plan import Plan, plan
from pitwall_operator.planning.remedies import what_would_help
from pitwall_operator.values.about import DAY

P99 = {"name": "p99", "quantile": {"metric": "QueryLatency"}}
ERRORS = {"name": "errors", "rate": {"metric": "Errors"}, "absoluteMarginBasisPoints": 300}
THUMBS = {"name": "thumbs", "rate": {"metric": "ThumbsDown"}}
TOKENS = {"name": "tokens", "mean": {"metric": "TokensPerQuery"}}
EVERY_GATE = pytest.mark.parametrize("gate", [P99, ERRORS, THUMBS, TOKENS], ids=lambda gate: gate["name"])


def rollout(gate: dict, *, stages: tuple[dict, ...] = ({"weightBasisPoints": 1000},), **more) -> RolloutSpec:
    last = {"weightBasisPoints": 10_000, "bakeSeconds": 3600}
    return RolloutSpec.model_validate(
        {
            "flag": "f",
            "variantRef": {"name": "v"},
            "stages": [*stages, last],
            "control": {"dedicated": True},
            "analysis": {"gates": [gate]},
            **more,
        }
    )


def planned(gate: dict, questions_per_second: float, **more) -> Plan:
    return plan(rollout(gate, **more), TrafficNow(questions_per_second))


def first(gate: dict, questions_per_second: float, **more) -> float:
    seconds = planned(gate, questions_per_second, **more).stages[0].seconds
    assert seconds is not None
    return seconds


@EVERY_GATE
def test_less_traffic_takes_longer(gate):
    times = [first(gate, rate) for rate in (100.0, 10.0, 1.0, 0.1)]

    assert times == sorted(times)
    assert times[-1] > 5 * times[1]


@pytest.mark.parametrize(
    ("gate", "field", "margins"),
    [
        pytest.param(P99, "promoteMarginPercent", ([400], [200], [50], [25]), id="of a quantile"),
        pytest.param(THUMBS, "promoteMarginPercent", ([400], [200], [50], [25]), id="of a rate"),
        pytest.param(ERRORS, "absoluteMarginBasisPoints", (1000, 500, 100, 50), id="an absolute one"),
    ],
)
def test_a_narrower_margin_takes_longer(gate, field, margins):
    times = [first({**gate, field: margin}, 5.0) for margin in margins]

    assert times == sorted(times)
    assert times[-1] > 2 * times[0]


@EVERY_GATE
def test_a_worse_candidate_reaches_fewer_users(gate):
    gate = {**gate, "promoteMarginPercent": [20], "absoluteMarginBasisPoints": 0}
    by_factor = {one.factor: one.questions for one in planned(gate, 1.0).bad}

    assert by_factor[1.5] is not None
    assert 0 < by_factor[2.0] < by_factor[1.5]


def test_a_slower_candidate_is_found_among_copies_and_reaches_nobody():
    bad = planned(P99, 1.0, stages=({"shadow": {"percent": 50}}, {"weightBasisPoints": 1000})).bad

    assert [(one.questions, one.stage) for one in bad] == [(0.0, "shadow")] * 2


@pytest.mark.parametrize(
    ("gate", "now", "words"),
    [
        pytest.param(
            {**THUMBS, "promoteMarginPercent": [25]}, GateNow(0.1, 0.0), "no question becomes a trial", id="no clicks"
        ),
        pytest.param(
            {"name": "errors", "rate": {"metric": "Errors"}},
            GateNow(0.0, 1.0),
            "what never happens cannot be proven",
            id="a ratio of nothing",
        ),
        pytest.param(
            {**THUMBS, "promoteMarginPercent": [1]},
            GateNow(0.01, 0.001),
            "too little for this traffic",
            id="one percent",
        ),
    ],
)
def test_what_can_never_be_proven_is_told(gate, now, words):
    stage = plan(rollout(gate), TrafficNow(1.0, {gate["name"]: now})).stages[0]

    assert stage.seconds is None
    assert stage.decided_by == gate["name"]
    assert words in stage.gates[0].reason


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ({**P99, "marginPercent": 100}, "within marginPercent 100"),
        ({**P99, "onHarm": "Observe"}, "never off"),
        ({**ERRORS, "absoluteMarginBasisPoints": 5000, "marginPercent": 0}, "passes every stage before"),
    ],
)
def test_a_bad_candidate_that_is_never_off_is_told(gate, words):
    bad = planned(gate, 1.0).bad

    assert [one.questions for one in bad] == [None, None]
    assert all(words in one.reason for one in bad)


@pytest.mark.parametrize(
    "gate",
    [
        pytest.param({"name": "p90", "quantile": {"metric": "QueryLatency", "perMille": 900}}, id="of latency"),
        pytest.param({"name": "cold", "rate": {"metric": "ColdQueries"}}, id="of cold queries"),
    ],
)
def test_an_objective_takes_its_own_time_to_prove(gate):
    rule = "quantile" if "quantile" in gate else "rate"
    limit = {"objectiveMilliseconds": 2000} if rule == "quantile" else {"objectiveBasisPoints": 3300}
    strict = {**gate, rule: {**gate[rule], **limit}}

    assert first(strict, 5.0) > first(gate, 5.0)
    assert planned(strict, 5.0).bad[1].questions is not None


def test_failures_of_copies_are_proven_to_be_few_in_the_shadow():
    stage = planned(ERRORS, 10.0, stages=({"shadow": {"percent": 50}}, {"weightBasisPoints": 1000})).stages[0]

    assert stage.seconds is not None
    assert stage.gates[0].trials == pytest.approx(stage.seconds * 5.0)


def test_blocks_are_as_long_as_gateways_measure_unless_the_spec_says_it():
    spec = rollout(P99, stages=({"weightBasisPoints": 5000},))
    long, short = (plan(spec, TrafficNow(100.0, block_seconds=seconds)).stages[0].seconds for seconds in (300.0, 30.0))

    assert long is not None
    assert short is not None
    assert long > 5 * short


def test_where_harm_only_holds_that_is_told():
    found = planned({**P99, "onHarm": "Hold"}, 10.0).bad

    assert {one.reason for one in found} == {"then held until a person acts"}
    assert all(one.questions for one in found)


def test_without_questions_nothing_is_ever_proven():
    found = planned(P99, 0.0)

    assert (found.stages[0].seconds, found.stages[0].gates[0].reason) == (None, "no questions come")


def test_a_stage_lasts_as_long_as_it_must_whatever_is_proven():
    found = planned(P99, 1000.0, stages=({"weightBasisPoints": 1000, "minSeconds": 7200, "approval": "Manual"},))

    assert [(stage.seconds, stage.decided_by) for stage in found.stages] == [
        (7200.0, "minSeconds"),
        (3600.0, "bakeSeconds"),
    ]
    assert [stage.waits_for_person for stage in found.stages] == [True, False]


def test_a_shadow_that_no_gate_can_see_never_ends():
    found = planned(THUMBS, 1.0, stages=({"shadow": {"percent": 50}}, {"weightBasisPoints": 1000}))

    assert (found.stages[0].seconds, found.stages[0].gates) == (None, ())


def test_warming_up_and_labels_on_their_way_take_their_time():
    quick = {**THUMBS, "rate": {"metric": "ThumbsDown", "unit": "Query", "labelDelaySeconds": 0}}
    late = {**THUMBS, "rate": {"metric": "ThumbsDown", "unit": "Query", "labelDelaySeconds": 86_400}}

    longest = UNKNOWN_SECONDS + SETTLING_SECONDS  # the block in which it ends is left out too
    assert DAY <= first(late, 10.0) - first(quick, 10.0) <= DAY + longest
    assert 9000 <= first({**P99, "warmupSeconds": 9000}, 10.0) - first(P99, 10.0) <= 9000 + longest


def test_the_same_plan_comes_out_each_time():
    assert planned(P99, 2.0) == planned(P99, 2.0)


def help_for(gate: dict, traffic: TrafficNow, **more) -> str:
    spec = rollout(gate, **more)
    return "\n".join(what_would_help(spec, traffic, plan(spec, traffic)))


STEPS = ({"weightBasisPoints": 100}, {"weightBasisPoints": 5000})


def test_what_takes_weeks_is_told_with_what_would_help():
    told = help_for(P99, TrafficNow(0.05), stages=STEPS)

    assert told.startswith("p99 at 1% takes about ")
    assert "arms rarely meet within 30 s at 0.05 questions a second" in told
    assert "promoteMarginPercent 800 (it is 200) takes about" in told
    assert "50% of the traffic takes about" in told


def test_what_takes_hours_needs_no_help():
    assert help_for(P99, TrafficNow(20.0), stages=STEPS) == ""


def test_a_deadline_before_the_proof_is_told():
    stages = ({"weightBasisPoints": 100, "maxSeconds": 3600},)

    assert "1%: its deadline comes after about 60 minutes, before the proof; then onInconclusive Hold" in help_for(
        P99, TrafficNow(1.0), stages=stages
    )


def test_an_empty_shadow_and_a_gate_without_trials_are_told():
    stages = ({"shadow": {"percent": 50}}, {"weightBasisPoints": 1000})
    told = help_for(THUMBS, TrafficNow(1.0, {"thumbs": GateNow(0.1, 0.0)}), stages=stages)

    assert "shadow: no gate of this rollout can be measured here" in told
    assert "thumbs at 10% takes never: no question becomes a trial of this gate" in told
