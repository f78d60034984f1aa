"""What each gate weighs, read from a gateway's counters of one run."""

import pytest

from pitwall_crds.rollout.gate import Gate
from pitwall_operator.evidence.basis.counts import Abandoned, Counts, EdgeTallies, Pairs, Tally
from pitwall_operator.gates.counting import counters
from pitwall_operator.observe.scrape import parse
from pitwall_operator.observe.variant_metrics import metrics_between, quantile
from pitwall_operator.values.observation import ProcessCounters, Reading

RUN = counters.Run("a", "b", "run-2")
ERRORS = Gate.model_validate({"name": "errors", "rate": {"metric": "Errors", "objectiveBasisPoints": 100}})
P99 = {"metric": "QueryLatency"}


def gateway(*lines: str) -> ProcessCounters:
    """Counters in the form that a gateway shows them; `ARM` stands for the labels of an arm."""
    return parse("\n".join(lines) + "\n")


def scope(arm: str, variant: str = "", run: str = "run-2") -> str:
    return f'sampler_variant="{variant or ("b" if arm in ("candidate", "shadow") else "a")}",arm="{arm}",run="{run}"'


def failures(bad: int, good: int, labels: str) -> tuple[str, str]:
    return (
        f'pitwall_evidence_queries_total{{{labels},outcome="error"}} {bad}',
        f'pitwall_evidence_queries_total{{{labels},outcome="ok"}} {good}',
    )


def sides(edge: str, within: int, beyond: int, labels: str) -> tuple[str, str]:
    return (
        f'pitwall_evidence_within_total{{{labels},quantity="latency",edge="{edge}"}} {within}',
        f'pitwall_evidence_beyond_total{{{labels},quantity="latency",edge="{edge}"}} {beyond}',
    )


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(scope("shadow"), id="another-arm"),
        pytest.param(scope("candidate", "c"), id="another-variant"),
        pytest.param(scope("candidate", run="run-1"), id="another-run"),
        pytest.param('sampler_variant="b",arm="candidate"', id="no-run"),
    ],
)
def test_what_is_counted_elsewhere_does_not_count(labels):
    assert counters.totals(gateway(*failures(5, 95, labels)), ERRORS, None, RUN) == Counts()


def test_a_rate_counts_both_arms_stable_and_the_objective():
    text = [line for arm in ("control", "candidate", "stable") for line in failures(5, 95, scope(arm))]
    found = counters.totals(gateway(*text), ERRORS, None, RUN)

    assert {found.control, found.candidate, found.stable, found.objective} == {Tally(100, 5)}


def test_a_tail_counts_each_arm_beyond_its_own_edge_and_beyond_further_ones():
    gate = Gate.model_validate({"name": "p99", "quantile": P99})
    edges = counters.TailEdges(control=0.1016, candidate=0.2032, further=((0.016, 0.032),))
    text = [
        line
        for arm in ("control", "candidate", "stable")
        for edge, within, beyond in (("0.016", 50, 52), ("0.032", 70, 32), ("0.1016", 90, 11), ("0.2032", 97, 3))
        for line in sides(edge, within, beyond, scope(arm))
    ]

    found = counters.totals(gateway(*text), gate, edges, RUN)

    assert (found.control, found.candidate, found.stable) == (Tally(101, 11), Tally(100, 3), Tally(101, 11))
    assert found.edges == (EdgeTallies(Tally(102, 52), Tally(102, 32), Tally(102, 52)),)


def test_an_open_question_is_a_trial_at_the_edges_that_it_has_passed_and_at_no_other():
    """Nine answers, and one question that has been open for longer than a tenth of a second."""
    gate = Gate.model_validate({"name": "p99", "quantile": P99})
    text = (*sides("0.1016", 9, 1, scope("candidate")), *sides("1.024", 9, 0, scope("candidate")))

    early, late = (
        counters.totals(gateway(*text), gate, counters.TailEdges(0.1, edge), RUN).candidate for edge in (0.1016, 1.024)
    )

    assert (early, late) == (Tally(10, 1), Tally(9, 0))


def left(labels: str, **edges: int) -> list[str]:
    return [
        f'pitwall_evidence_abandoned_total{{{labels},edge="{edge}"}} {number}'
        for edge, number in (("0.1016", edges["short"]), ("0.2032", edges["long"]), ("+Inf", edges["ever"]))
    ]


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        pytest.param({"name": "p99", "quantile": P99}, Abandoned(1, 3, 1, late=2), id="a-tail-misses-who-left-before"),
        pytest.param({"name": "errors", "rate": {"metric": "Errors"}}, Abandoned(7, 7, 7), id="errors-miss-all"),
        pytest.param({"name": "cold", "rate": {"metric": "ColdQueries"}}, Abandoned(), id="answers-are-not-asked"),
    ],
)
def test_who_left_is_missing_where_its_wait_tells_nothing(gate, expected):
    edges = counters.TailEdges(control=0.1016, candidate=0.2032) if "quantile" in gate else None
    text = [line for arm in ("control", "candidate", "stable") for line in left(scope(arm), short=1, long=3, ever=7)]

    assert counters.totals(gateway(*text), Gate.model_validate(gate), edges, RUN).abandoned == expected


def test_what_a_variant_blames_videos_servers_for_is_told_of_questions_and_of_copies():
    text = [
        f"pitwall_evidence_excused_total{{{scope(arm)}}} {number}" for arm, number in (("candidate", 4), ("control", 9))
    ]
    text.append(f"pitwall_evidence_excused_total{{{scope('shadow')}}} 5")
    gate = Gate.model_validate({"name": "errors", "rate": {"metric": "Errors"}})

    assert counters.totals(gateway(*text), gate, None, RUN).abandoned == Abandoned(excused=4, copies=5)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        pytest.param("ColdQueries", EdgeTallies(Tally(9, 2), Tally(9, 2), Tally(9, 2)), id="about-pods"),
        pytest.param("Errors", EdgeTallies(), id="about-answers"),
    ],
)
def test_how_cold_arms_are_matters_to_gates_about_pods(metric, expected):
    text = [
        f'pitwall_evidence_cache_queries_total{{{scope(arm)},result="{result}"}} {number}'
        for arm in ("control", "candidate", "stable")
        for result, number in (("cold", 2), ("warm", 7))
    ]
    gate = Gate.model_validate({"name": "g", "rate": {"metric": metric}})

    assert counters.totals(gateway(*text), gate, None, RUN).caches == expected


def test_without_thresholds_a_tail_counts_nothing():
    gate = Gate.model_validate({"name": "p99", "quantile": P99})

    assert counters.totals(gateway(*sides("0.1016", 9, 1, scope("candidate"))), gate, None, RUN) == Counts()


def test_an_objective_is_counted_beyond_its_own_edge():
    gate = Gate.model_validate({"name": "p99", "quantile": {**P99, "objectiveMilliseconds": 1900}})
    assert counters.objective_edge(gate) == 2.048, "the next edge from 1.9 s on"
    text = (*sides("0.2032", 97, 3, scope("candidate")), *sides("2.048", 98, 2, scope("candidate")))

    found = counters.totals(gateway(*text), gate, counters.TailEdges(0.1016, 0.2032), RUN)

    assert (found.candidate, found.objective) == (Tally(100, 3), Tally(100, 2))


@pytest.mark.parametrize(
    ("metric", "quantity"),
    [("TokensPerQuery", "tokens"), ("FrameSelection", "selection"), ("EncoderUtilization", "encoder")],
)
def test_a_mean_is_a_sum_over_answers(metric, quantity):
    gate = Gate.model_validate({"name": "mean", "mean": {"metric": metric}})
    labels = f'{scope("candidate")},quantity="{quantity}"'
    found = gateway(f"pitwall_evidence_value_total{{{labels}}} 900.5", f"pitwall_evidence_valued_total{{{labels}}} 10")

    assert counters.totals(found, gate, None, RUN) == Counts(candidate=Tally(10, 0, 900.5))


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        pytest.param({"unit": "Query"}, Tally(44, 4), id="a-query"),
        pytest.param({"unit": "Session"}, Tally(23, 3), id="a-session"),
        pytest.param({"unit": "User"}, Tally(11, 2), id="a-user"),
        pytest.param({}, Tally(11, 2), id="a-user-unless-said-otherwise"),
    ],
)
def test_a_label_counts_per_unit(unit, expected):
    gate = Gate.model_validate({"name": "thumbs", "rate": {"metric": "ThumbsDown", **unit}})
    numbers = {"query": (4, 40), "session": (3, 20), "user": (2, 9)}
    text = [
        f'pitwall_evidence_quality_total{{{scope("candidate")},signal="thumbs_down",unit="{name}",'
        f'outcome="{outcome}"}} {value}'
        for name, (bad, good) in numbers.items()
        for outcome, value in (("bad", bad), ("good", good))
    ]

    assert counters.totals(gateway(*text), gate, None, RUN).candidate == expected


@pytest.mark.parametrize(
    ("rule", "texts"),
    [
        pytest.param(
            {"mean": {"metric": "EncoderUtilization"}},
            ["pitwall_evidence_value_total{", "pitwall_evidence_valued_total{"],
            id="a-mean",
        ),
        pytest.param(
            {"rate": {"metric": "ThumbsDown", "unit": "User"}},
            [
                'arm="control",run="run-2",signal="thumbs_down",unit="user",outcome="bad"}',
                'pitwall_evidence_quality_total{sampler_variant="b"',
            ],
            id="a-label",
        ),
        pytest.param(
            {"quantile": {"metric": "QueryLatency", "objectiveMilliseconds": 1900}},
            ['arm="candidate",run="run-2",quantity="latency",edge="2.048"}', 'arm="stable",run="run-2"'],
            id="a-quantile-with-an-objective",
        ),
    ],
)
def test_what_is_read_is_told_as_selectors(rule, texts):
    told = counters.queries(Gate.model_validate({"name": "x", **rule}), counters.TailEdges(0.1, 0.2), RUN)

    assert [text for text in texts if not any(text in query for query in told)] == []


@pytest.mark.parametrize(
    ("margin_percent", "edge"),
    [pytest.param(0, 1.0, id="none"), pytest.param(10, 1.1, id="on-an-edge"), pytest.param(40, 1.5, id="next-edge"),
     pytest.param(5000, 10.0, id="beyond-the-last")],
)  # fmt: skip
def test_a_pair_is_worse_beyond_the_next_ratio_edge(margin_percent, edge):
    assert counters.ratio_edge(margin_percent) == edge


def test_pairs_are_read_on_both_sides_of_equality():
    gate = Gate.model_validate({"name": "p99", "quantile": P99, "marginPercent": 100})
    labels = f'{scope("shadow")},quantity="latency"'
    found = gateway(
        f'pitwall_evidence_ratio_within_total{{{labels},edge="0.5"}} 4',
        f'pitwall_evidence_ratio_within_total{{{labels},edge="2.0"}} 90',
        f"pitwall_evidence_ratios_total{{{labels}}} 100",
    )

    assert counters.totals(found, gate, None, RUN).pairs == Pairs(total=100, worse=10, better=4)


@pytest.mark.parametrize(
    ("better", "within", "pairs"),
    [
        pytest.param(4, 101, Pairs(total=100, worse=0, better=4), id="one more is within than there are"),
        pytest.param(95, 90, Pairs(total=100, worse=10, better=90), id="more are better than are not worse"),
        pytest.param(500, 300, Pairs(total=100, worse=0, better=100), id="more are better than there are"),
    ],
)
def test_series_of_pairs_that_were_read_between_their_increments_show_no_more_than_all(better, within, pairs):
    gate = Gate.model_validate({"name": "p99", "quantile": P99, "marginPercent": 100})
    labels = f'{scope("shadow")},quantity="latency"'
    found = gateway(
        f'pitwall_evidence_ratio_within_total{{{labels},edge="0.5"}} {better}',
        f'pitwall_evidence_ratio_within_total{{{labels},edge="2.0"}} {within}',
        f"pitwall_evidence_ratios_total{{{labels}}} 100",
    )

    assert counters.totals(found, gate, None, RUN).pairs == pairs


@pytest.mark.parametrize(
    ("counts", "expected"),
    [pytest.param([0, 0, 0], None, id="no-observations"),
     pytest.param([10, 10, 10], 0.5, id="middle-of-the-first-bucket"),
     pytest.param([0, 10, 10], 1.5, id="middle-of-the-second"),
     pytest.param([0, 0, 10], float("inf"), id="beyond-the-last-edge")],
)  # fmt: skip
def test_quantile(counts, expected):
    assert quantile([1.0, 2.0], counts, 0.5) == expected


def test_a_variants_metrics_are_those_of_the_window():
    text = """
pitwall_tokens_per_query_sum{{sampler_variant="a",arm="stable"}} {tokens}
pitwall_tokens_per_query_count{{sampler_variant="a",arm="stable"}} {queries}
pitwall_frame_selection_seconds_sum{{sampler_variant="a",arm="stable"}} {selecting}
pitwall_frame_selection_seconds_count{{sampler_variant="a",arm="stable"}} {queries}
pitwall_embed_cache_lookups_total{{sampler_variant="a",arm="stable",result="hit"}} {hits}
pitwall_embed_cache_lookups_total{{sampler_variant="a",arm="stable",result="miss"}} {misses}
pitwall_encoder_busy_seconds_total{{sampler_variant="a",arm="stable"}} {busy}
"""
    older = parse(text.format(tokens=0, queries=0, selecting=0, hits=0, misses=0, busy=0))
    newer = parse(text.format(tokens=1000, queries=10, selecting=0.02, hits=75, misses=25, busy=5))

    found = metrics_between(Reading(110.0, {"a": newer}), Reading(100.0, {"a": older}), "a")

    assert (found.tokens_per_query, found.frame_selection) == ("100", "2.0ms")
    assert (found.cache_hit_rate, found.encoder_utilization) == ("75%", "50%")
    assert found.latency_p99 == ""
