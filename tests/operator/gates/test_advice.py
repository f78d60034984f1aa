"""Every piece of advice, as a table: said where it is due, and not where the next best choice was made."""

import re

import pytest

from pitwall_crds.rollout.rollout import RolloutSpec
from pitwall_operator.gates.advice import LONGEST, MOST, advice
from pitwall_operator.gates.counting.counters import EDGES, objective_edge

LATENCY = {"name": "latency", "quantile": {"metric": "QueryLatency"}}
ERRORS = {"name": "errors", "rate": {"metric": "Errors"}, "absoluteMarginBasisPoints": 100}
THUMBS = {"name": "thumbs", "rate": {"metric": "ThumbsDown"}}
TOKENS = {"name": "tokens", "mean": {"metric": "TokensPerQuery"}}
COLD = {"name": "cold", "rate": {"metric": "ColdQueries"}}
ENCODER = {"name": "encoder", "mean": {"metric": "EncoderUtilization"}}
SLO = {"metric": "QueryLatency", "objectiveMilliseconds": 500}
WAY = [{"weightBasisPoints": weight} for weight in (100, 1000, 5000, 10_000)]


def spec(*gates, stages=WAY, dedicated=True, **analysis):
    """A rollout with nothing to be said against it but what the arguments bring."""
    return RolloutSpec.model_validate(
        {
            "flag": "f",
            "variantRef": {"name": "v"},
            "stages": stages,
            "control": {"dedicated": dedicated},
            "analysis": {"gates": list(gates or (TOKENS,)), **analysis},
        }
    )


def baking(**fields):
    return spec(stages=[*WAY[:-1], {"weightBasisPoints": 10_000, **fields}])


def long_bake(seconds, *gates, dedicated=True):
    return spec(*gates, stages=[*WAY[:-1], {"weightBasisPoints": 10_000, "bakeSeconds": seconds}], dedicated=dedicated)


def rate(metric, **rule):
    return {"name": "rate", "rate": {"metric": metric, **rule}}


def observing(gate):
    return {**gate, "onHarm": "Observe"}


def beyond_half(*gates, dedicated=False):
    """Through 75 %; a shared control is itself advised against, so only what is said of the stage is looked at."""
    return spec(*gates, stages=[{"weightBasisPoints": weight} for weight in (1000, 7500, 10_000)], dedicated=dedicated)


RATIO_OF_ERRORS = "gate errors: absoluteMarginBasisPoints 0: errors normally never happen"
WIDE = "gate errors: absoluteMarginBasisPoints 6000: even 60 more"
RISES = "gate thumbs: promoteMarginPercent rises from 50 to 60"
GAP = "gate thumbs: last promoteMarginPercent 20, marginPercent 30: .* held for ever"
UNIT = "gate rate: unit Session: few users ask most questions"
EARLY = "gate rate: labelDelaySeconds 60: bad labels come sooner"
UNLIKE = "control.dedicated false: the control is answered by the big stable pool"
BEYOND = "weightBasisPoints 7500: beyond half of the traffic"
DEPENDENT = "dependence Query: queues slow or fail many"
SHORT = "blockSeconds 9: queues remember longer"
SHORT_BAKE = "gate latency: bakeSeconds 600: pods have 600 s to warm up, so nothing judges it in the bake"
IDLE = "gate encoder: a shared control idles in the bake, so nothing judges it there"
BAKE = "bakeSeconds 60 with bakeControlBasisPoints 0: nobody stays"
PROMOTION = "falsePromotionPerMille 201: .* in 20.1% of rollouts"
ROLLBACK = "falseRollbackPerMille 51: .* in 5.1% of rollouts"
OBSERVING = "gates thumbs, tokens: onHarm Observe at every gate"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        pytest.param(spec({**ERRORS, "absoluteMarginBasisPoints": 0}), RATIO_OF_ERRORS, id="a ratio of errors"),
        pytest.param(spec({**ERRORS, "absoluteMarginBasisPoints": 6000}), WIDE, id="a margin that lets all pass"),
        pytest.param(spec({**THUMBS, "promoteMarginPercent": [90, 50, 60]}), RISES, id="margins that rise"),
        pytest.param(
            spec({**THUMBS, "marginPercent": 30, "promoteMarginPercent": [50, 20]}), GAP, id="neither harm nor fine"
        ),
        pytest.param(
            spec({**TOKENS, "marginPercent": 30}), "gate tokens: last promoteMarginPercent 25", id="of a mean too"
        ),
        pytest.param(spec(observing(THUMBS), observing(TOKENS)), OBSERVING, id="nobody decides"),
        pytest.param(spec(falsePromotionPerMille=201), PROMOTION, id="promotions by chance"),
        pytest.param(spec(falseRollbackPerMille=51), ROLLBACK, id="rollbacks by chance"),
        pytest.param(spec(rate("ThumbsDown", unit="Session")), UNIT, id="busy users, by session"),
        pytest.param(spec(rate("TaskAbandoned", unit="Session")), UNIT, id="busy users, of tasks"),
        pytest.param(spec(rate("FollowUp", unit="Query")), UNIT.replace("Session", "Query"), id="busy users, by query"),
        pytest.param(spec(rate("FollowUp", unit="Query", labelDelaySeconds=60)), EARLY, id="early follow-ups"),
        pytest.param(spec(rate("ThumbsDown", unit="Query", labelDelaySeconds=60)), EARLY, id="early thumbs"),
        pytest.param(spec(LATENCY, ERRORS, COLD, ENCODER, dedicated=False), f"gates latency, cold, encoder: {UNLIKE}",
                     id="a control on other pods"),
        pytest.param(beyond_half(LATENCY, TOKENS), f"gate latency: {BEYOND}", id="pods beyond half of the traffic"),
        pytest.param(spec({**LATENCY, "dependence": "Query"}, {**ERRORS, "dependence": "Query"}),
                     f"gates latency, errors: {DEPENDENT}", id="queues"),
        pytest.param(spec(LATENCY, TOKENS, blockSeconds=9), f"gate latency: {SHORT}", id="short blocks"),
        pytest.param(long_bake(600, LATENCY), SHORT_BAKE, id="a bake within the warm-up"),
        pytest.param(long_bake(3600, ENCODER, dedicated=False), IDLE, id="what has no record in the bake"),
        pytest.param(baking(bakeSeconds=60, bakeControlBasisPoints=0), BAKE, id="nothing to compare in the bake"),
    ],
)  # fmt: skip
def test_what_cannot_mean_what_its_author_hopes_is_said(asked, words):
    assert any(re.match(words, sentence) for sentence in advice(asked)), advice(asked)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        pytest.param(spec(ERRORS), RATIO_OF_ERRORS, id="a difference of errors"),
        pytest.param(
            spec(observing({**ERRORS, "absoluteMarginBasisPoints": 0}), TOKENS), "errors", id="errors only observed"
        ),
        pytest.param(spec({**ERRORS, "absoluteMarginBasisPoints": 5000}), "absoluteMargin", id="half"),
        pytest.param(spec({**THUMBS, "promoteMarginPercent": [90, 50, 50]}), "rises", id="margins that stay"),
        pytest.param(spec({**ERRORS, "promoteMarginPercent": [10, 90]}), "rises", id="margins that nobody asks for"),
        pytest.param(
            spec({**THUMBS, "marginPercent": 30, "promoteMarginPercent": [50, 30]}), "held", id="margins that meet"
        ),
        pytest.param(spec({**LATENCY, "marginPercent": 400}), "held", id="an edge is no share"),
        pytest.param(spec({**ERRORS, "marginPercent": 400}), "held", id="a difference in place of a ratio"),
        pytest.param(spec(observing(THUMBS), TOKENS), "Observe", id="somebody decides"),
        pytest.param(spec(falsePromotionPerMille=200), "falsePromotion", id="promotions by chance, just so"),
        pytest.param(spec(falseRollbackPerMille=50), "falseRollback", id="rollbacks by chance, just so"),
        pytest.param(spec(rate("FollowUp")), "unit", id="users by default"),
        pytest.param(spec(rate("TaskAbandoned", unit="User")), "unit", id="users if said"),
        pytest.param(spec(ERRORS, COLD), "unit", id="errors have no users"),
        pytest.param(spec(rate("FollowUp", unit="Query")), "labelDelay", id="the gateway's own window"),
        pytest.param(spec(rate("FollowUp", unit="Query", labelDelaySeconds=120)), "labelDelay", id="long enough"),
        pytest.param(spec(rate("FollowUp", labelDelaySeconds=4)), "labelDelay", id="a user's hour ends for all alike"),
        pytest.param(spec(TOKENS, ERRORS, dedicated=False), "control", id="what pods have no part in"),
        pytest.param(beyond_half(TOKENS, ERRORS), BEYOND, id="answers beyond half of the traffic"),
        pytest.param(beyond_half(LATENCY, dedicated=True), "weight", id="a dedicated control beyond half"),
        pytest.param(beyond_half(observing(LATENCY), TOKENS), BEYOND, id="nobody waits for what is observed"),
        pytest.param(spec(LATENCY, dedicated=False), BEYOND, id="half, then all"),
        pytest.param(spec({**THUMBS, "dependence": "Query"}), "dependence", id="opinions do not queue"),
        pytest.param(spec(LATENCY, blockSeconds=10), "blockSeconds", id="long blocks"),
        pytest.param(spec(LATENCY), "blockSeconds", id="measured blocks"),
        pytest.param(spec(THUMBS, blockSeconds=1), "blockSeconds", id="opinions do not remember"),
        pytest.param(baking(bakeSeconds=60), "bake", id="a control in the bake"),
        pytest.param(long_bake(601, LATENCY), "bake", id="a bake beyond the warm-up"),
        pytest.param(long_bake(60, {**LATENCY, "warmupSeconds": 0}), "bake", id="no warm-up"),
        pytest.param(long_bake(60, {**LATENCY, "quantile": SLO}), "bake", id="an objective in the bake"),
        pytest.param(long_bake(60, ENCODER), "bake", id="a dedicated control may be loaded alike"),
        pytest.param(baking(bakeControlBasisPoints=0), "bake", id="no bake"),
    ],
)
def test_nothing_is_said_of_the_next_best_choice(asked, words):
    assert not any(words in sentence for sentence in advice(asked)), advice(asked)


def test_a_sound_analysis_gets_no_advice():
    assert advice(spec(LATENCY, ERRORS, THUMBS, TOKENS, COLD, ENCODER)) == ()


@pytest.mark.parametrize(("metric", "most"), [("QueryLatency", 60_000), ("FrameSelection", 16_000)])
def test_no_objective_that_the_schema_takes_lies_beyond_the_last_edge(metric, most):
    """So advice need not speak of it: a larger one is refused."""
    rule = {"metric": metric, "objectiveMilliseconds": most}
    (gate,) = spec({"name": "slo", "quantile": rule}).analysis.gates
    assert objective_edge(gate) <= EDGES[metric][-1]
    with pytest.raises(ValueError, match="objectiveMilliseconds"):
        spec({"name": "slo", "quantile": {**rule, "objectiveMilliseconds": most + 1}})


def named(number):
    """A name as long as Kubernetes allows."""
    return f"{'g' * 60}-{number:02}"


def unsound(name, number):
    """A gate with as much wrong as one can have, with numbers as long as they get."""
    kinds = (
        {"quantile": {"metric": "QueryLatency"}, "dependence": "Query", "promoteMarginPercent": [999, 1000]},
        {"rate": {"metric": "Errors"}, "dependence": "Query", "marginPercent": 1000, "promoteMarginPercent": [1, 999]},
        {"rate": {"metric": "Errors"}, "absoluteMarginBasisPoints": 9999, "dependence": "Query"},
        {"rate": {"metric": "ThumbsDown", "unit": "Query", "labelDelaySeconds": 119}, "marginPercent": 1000},
    )
    return {"name": name, **kinds[number % len(kinds)]}


@pytest.mark.parametrize("gates", [pytest.param(4, id="one gate of a kind"), pytest.param(16, id="many gates")])
@pytest.mark.parametrize("name", [pytest.param(str, id="short names"), pytest.param(named, id="long names")])
def test_a_cluster_cuts_no_advice_short(gates, name):
    asked = spec(
        *(unsound(name(number), number) for number in range(gates)),
        stages=[
            {"weightBasisPoints": 9999},
            {"weightBasisPoints": 10_000, "bakeSeconds": 31_536_000, "bakeControlBasisPoints": 0},
        ],
        dedicated=False,
        blockSeconds=9,
        falsePromotionPerMille=500,
        falseRollbackPerMille=200,
    )
    told = advice(asked)

    assert len(told) == MOST
    assert max(map(len, told)) <= LONGEST
    assert re.fullmatch(r"\d further pieces of advice are told once these are heeded", told[-1])
    assert any(name(0) in sentence for sentence in told)


def test_no_sentence_is_too_long_however_long_its_gates_are_named():
    """One by one, since a rollout with everything wrong is told only the gravest."""
    wrong = [
        *(spec(unsound(named(0), number), dedicated=number % 2 == 0, blockSeconds=9) for number in range(4)),
        beyond_half({**LATENCY, "name": named(0)}),
        spec(observing({**THUMBS, "name": named(0)})),
        spec(*(observing({**THUMBS, "name": named(number)}) for number in range(16))),
        spec(*({**LATENCY, "name": named(number)} for number in range(16)), dedicated=False, blockSeconds=1),
    ]
    told = [sentence for one in wrong for sentence in advice(one)]

    assert max(map(len, told)) <= LONGEST
    assert any(f"gates {named(0)} and 15 more: blockSeconds 1" in sentence for sentence in told)
