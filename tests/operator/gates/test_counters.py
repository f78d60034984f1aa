"""Raw counters to counts per block."""

import pytest

from pitwall_crds.gate import Gate
from pitwall_crds.names import Label, Metric
from pitwall_operator.evidence.counts import Counts, Pairs, Tally
from pitwall_operator.gates import counters
from pitwall_operator.observe.scrape import parse
from pitwall_operator.observe.variant_metrics import metrics_between, quantile
from pitwall_operator.values.observation import ProcessCounters, Reading

ERRORS = Gate.model_validate({"name": "errors", "rate": {"metric": "Errors"}})
RUN_START = 100.0


def source(
    bad: float, good: float, start_time: float = 0.0, arm: str = "candidate", variant: str = "b"
) -> ProcessCounters:
    scope = {Label.SAMPLER_VARIANT: variant, Label.ARM: arm}
    samples = [({**scope, Label.OUTCOME: "error"}, bad), ({**scope, Label.OUTCOME: "ok"}, good)]
    return ProcessCounters(start_time, {Metric.QUERIES: samples})


def advance(cursor, **sources: ProcessCounters):
    reading = Reading(time=200.0, sources=sources)
    rows = {
        name: {"errors": counters.totals(found, ERRORS, None, stable="a", candidate="b")}
        for name, found in sources.items()
    }
    return counters.advance(cursor, rows, reading, run_start=RUN_START)


def candidate(grown) -> Tally:
    return grown["errors"].candidate


def test_a_process_older_than_the_run_starts_from_what_it_shows():
    _, grown = advance({}, gateway=source(5, 95))

    assert grown["errors"] == Counts(Tally(), Tally(), Pairs())


def test_a_process_born_during_the_run_starts_from_zero():
    _, grown = advance({}, gateway=source(5, 95, start_time=150.0))

    assert candidate(grown) == Tally(trials=100, bad=5)


def test_growth_is_what_came_since_the_last_block():
    cursor, _ = advance({}, gateway=source(5, 95))
    _, grown = advance(cursor, gateway=source(7, 103))

    assert candidate(grown) == Tally(trials=10, bad=2)


def test_a_counter_that_fell_was_reset_and_all_it_shows_is_new():
    cursor, _ = advance({}, gateway=source(50, 950))
    _, grown = advance(cursor, gateway=source(1, 9))

    assert candidate(grown) == Tally(trials=10, bad=1)


def test_a_process_that_is_missed_once_counts_with_its_next_answer():
    cursor, _ = advance({}, one=source(0, 10), two=source(0, 10))
    cursor, _ = advance(cursor, one=source(0, 20))
    _, grown = advance(cursor, one=source(0, 20), two=source(3, 27))

    assert candidate(grown) == Tally(trials=20, bad=3)


def test_growth_is_summed_over_processes():
    cursor, _ = advance({}, one=source(0, 0), two=source(0, 0))
    _, grown = advance(cursor, one=source(1, 9), two=source(2, 8))

    assert candidate(grown) == Tally(trials=20, bad=3)


def test_other_arms_and_variants_do_not_count():
    _, grown = advance({}, one=source(1, 9, 150.0, arm="shadow"), two=source(1, 9, 150.0, variant="c"))

    assert candidate(grown) == Tally()


def test_a_cursor_remembers_a_bounded_number_of_processes():
    cursor = {}
    for number in range(3 * counters.CURSOR_SOURCES):
        cursor, _ = advance(cursor, **{f"pod-{number}": source(0, 1)})

    assert len(cursor) == counters.CURSOR_SOURCES


def test_a_tail_counts_each_arm_beyond_its_own_edge():
    edges = counters.TailEdges(control=0.1, candidate=0.2)
    gate = Gate.model_validate({"name": "p99", "quantile": {"metric": "QueryLatency"}})
    samples: dict[str, list] = {}
    for arm, variant in (("control", "a"), ("candidate", "b")):
        scope = {Label.SAMPLER_VARIANT: variant, Label.ARM: arm}
        below = [({**scope, "le": le}, n) for le, n in (("0.1", 90), ("0.2", 97), ("+Inf", 100))]
        samples.setdefault(f"{Metric.QUERY_LATENCY}_bucket", []).extend(below)
        samples.setdefault(f"{Metric.QUERY_LATENCY}_count", []).append((scope, 100))

    found = counters.totals(ProcessCounters(0.0, samples), gate, edges, stable="a", candidate="b")

    assert (found.control.bad, found.candidate.bad) == (10, 3)


RUNTIME = """
pitwall_tokens_per_query_sum{{sampler_variant="{v}",arm="{arm}"}} {tokens}
pitwall_tokens_per_query_count{{sampler_variant="{v}",arm="{arm}"}} {queries}
pitwall_frame_selection_seconds_sum{{sampler_variant="{v}",arm="{arm}"}} {selecting}
pitwall_frame_selection_seconds_count{{sampler_variant="{v}",arm="{arm}"}} {queries}
pitwall_encoder_busy_seconds_total{{sampler_variant="{v}",arm="{arm}"}} {busy}
"""


def mean_gate(metric):
    return Gate.model_validate({"name": "mean", "mean": {"metric": metric}})


def runtime(queries, *, tokens=0.0, selecting=0.0, busy=0.0, arm="candidate", variant="b"):
    text = RUNTIME.format(v=variant, arm=arm, queries=queries, tokens=tokens, selecting=selecting, busy=busy)
    return parse(text)


@pytest.mark.parametrize(
    ("metric", "total"), [("TokensPerQuery", 900.0), ("FrameSelection", 0.5), ("EncoderUtilization", 3.0)]
)
def test_a_mean_is_a_sum_over_queries(metric, total):
    found = runtime(10, tokens=900, selecting=0.5, busy=3)

    counted = counters.totals(found, mean_gate(metric), None, stable="a", candidate="b")

    assert counted == Counts(candidate=Tally(10, 0, total))


def test_the_encoders_work_for_a_question_waits_for_its_answer():
    """A block must not hold the seconds without the query, nor be skipped with them."""
    gate, cursor, blocks = mean_gate("EncoderUtilization"), {}, []
    for found in (runtime(10, busy=3), runtime(10, busy=7), runtime(11, busy=8), runtime(12, busy=8.5)):
        rows = {"pod": {"mean": counters.totals(found, gate, None, stable="a", candidate="b")}}
        cursor, grown = counters.advance(cursor, rows, Reading(1.0, {"pod": found}), run_start=RUN_START)
        blocks.append(candidate({"errors": grown["mean"]}))

    assert blocks == [Tally(), Tally(), Tally(1, 0, 5.0), Tally(1, 0, 0.5)]


@pytest.mark.parametrize("unit", ["Query", "Session", "User"])
def test_a_label_counts_per_unit(unit):
    gate = Gate.model_validate({"name": "thumbs", "rate": {"metric": "ThumbsDown", "unit": unit}})
    scope = {Label.SAMPLER_VARIANT: "b", Label.ARM: "candidate", Label.SIGNAL: "thumbs_down"}
    numbers = {"query": (4, 40), "session": (3, 20), "user": (2, 9)}
    samples = [
        ({**scope, Label.UNIT: name, Label.OUTCOME: outcome}, value)
        for name, (bad, good) in numbers.items()
        for outcome, value in (("bad", bad), ("good", good))
    ]

    counted = counters.totals(ProcessCounters(0.0, {Metric.QUALITY: samples}), gate, None, stable="a", candidate="b")

    bad, good = numbers[unit.lower()]
    assert counted.candidate == Tally(bad + good, bad)


def test_stable_is_counted_beyond_the_controls_edge_and_an_objective_beyond_its_own():
    rule = {"metric": "QueryLatency", "objectiveMilliseconds": 1900}
    gate = Gate.model_validate({"name": "p99", "quantile": rule})
    assert counters.objective_edge(gate) == 2.048, "the next edge from 1.9 s on"
    samples: dict[str, list] = {}
    for arm, variant in (("stable", "a"), ("candidate", "b")):
        scope = {Label.SAMPLER_VARIANT: variant, Label.ARM: arm}
        below = [({**scope, "le": le}, n) for le, n in (("0.1", 90), ("0.2", 97), ("2.048", 98), ("+Inf", 100))]
        samples.setdefault(f"{Metric.QUERY_LATENCY}_bucket", []).extend(below)
        samples.setdefault(f"{Metric.QUERY_LATENCY}_count", []).append((scope, 100))
    edges = counters.TailEdges(control=0.1, candidate=0.2)

    found = counters.totals(ProcessCounters(0.0, samples), gate, edges, stable="a", candidate="b")

    assert (found.stable, found.candidate, found.objective) == (Tally(100, 10), Tally(100, 3), Tally(100, 2))


def test_an_objective_of_a_rate_is_about_the_same_trials():
    gate = Gate.model_validate({"name": "errors", "rate": {"metric": "Errors", "objectiveBasisPoints": 100}})

    found = counters.totals(source(5, 95), gate, None, stable="a", candidate="b")

    assert found.objective == found.candidate == Tally(100, 5)


def test_a_cursor_of_another_form_starts_from_what_is_shown():
    cursor = {"gateway": {"errors": [0.0] * 9}}
    _, grown = advance(cursor, gateway=source(5, 95))

    assert grown["errors"] == Counts()


@pytest.mark.parametrize(
    ("rule", "texts"),
    [
        pytest.param(
            {"mean": {"metric": "EncoderUtilization"}},
            ["pitwall_encoder_busy_seconds_total{", "pitwall_tokens_per_query_count{"],
            id="a-mean",
        ),
        pytest.param(
            {"rate": {"metric": "ThumbsDown", "unit": "User"}},
            [
                'arm="control",signal="thumbs_down",unit="user",outcome="bad"}',
                'pitwall_quality_total{sampler_variant="b"',
            ],
            id="a-label",
        ),
        pytest.param(
            {"quantile": {"metric": "QueryLatency", "objectiveMilliseconds": 1900}},
            ['arm="candidate",le="2.048"}', 'sampler_variant="a",arm="stable",le="0.1"}'],
            id="a-quantile-with-an-objective",
        ),
    ],
)
def test_what_is_read_is_told_as_selectors(rule, texts):
    gate = Gate.model_validate({"name": "x", **rule})

    told = counters.queries(gate, counters.TailEdges(0.1, 0.2), stable="a", candidate="b")

    assert [text for text in texts if not any(text in query for query in told)] == []


@pytest.mark.parametrize(
    ("margin_percent", "edge"),
    [pytest.param(0, 1.0, id="none"), pytest.param(10, 1.1, id="on-an-edge"), pytest.param(40, 1.5, id="next-edge"),
     pytest.param(5000, 10.0, id="beyond-the-last")],
)  # fmt: skip
def test_a_pair_is_worse_beyond_the_next_ratio_edge(margin_percent, edge):
    assert counters.ratio_edge(margin_percent) == edge


def test_pairs_are_read_on_both_sides_of_equality():
    gate = Gate.model_validate({"name": "p99", "quantile": {"metric": "QueryLatency"}, "marginPercent": 100})
    scope = {Label.SAMPLER_VARIANT: "b"}
    samples = {
        f"{Metric.SHADOW_LATENCY_RATIO}_bucket": [({**scope, "le": "0.5"}, 4), ({**scope, "le": "2.0"}, 90)],
        f"{Metric.SHADOW_LATENCY_RATIO}_count": [(scope, 100)],
    }

    found = counters.totals(ProcessCounters(0.0, samples), gate, None, stable="a", candidate="b")

    assert found.pairs == Pairs(total=100, worse=10, better=4)


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
