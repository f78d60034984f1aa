"""The five metrics between two readings: no number where nothing was observed, never a negative one after a restart."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall_crds.edges import LATENCY_EDGES
from pitwall_crds.names import Label, Metric
from pitwall_crds.variant.variant import FiveMetrics
from pitwall_operator.observe.variant_metrics import growth, metrics_between, quantile, texts
from pitwall_operator.values.observation import ProcessCounters, Reading

SCOPE = {Label.SAMPLER_VARIANT: "aks-v1", Label.ARM: "stable"}


def counted(queries: float, *, hits: float = 0, lookups: float = 0, busy: float = 0) -> ProcessCounters:
    """A process whose queries all took 10 ms, 2 ms of them for choosing frames, and 100 tokens."""
    buckets = [({**SCOPE, "le": str(edge)}, queries if edge >= 0.01 else 0.0) for edge in (*LATENCY_EDGES, math.inf)]
    return ProcessCounters(
        1.0,
        {
            f"{Metric.QUERY_LATENCY}_bucket": buckets,
            f"{Metric.QUERY_LATENCY}_count": [(SCOPE, queries)],
            f"{Metric.TOKENS_PER_QUERY}_sum": [(SCOPE, queries * 100)],
            f"{Metric.TOKENS_PER_QUERY}_count": [(SCOPE, queries)],
            f"{Metric.FRAME_SELECTION}_sum": [(SCOPE, queries * 0.002)],
            f"{Metric.FRAME_SELECTION}_count": [(SCOPE, queries)],
            Metric.CACHE_LOOKUPS: [
                ({**SCOPE, Label.RESULT: "hit"}, hits),
                ({**SCOPE, Label.RESULT: "miss"}, lookups - hits),
            ],
            Metric.ENCODER_BUSY: [(SCOPE, busy)],
        },
    )


def at(time: float, **sources: ProcessCounters) -> Reading:
    return Reading(time, sources)


def test_five_numbers_with_their_units():
    before, after = at(0, a=counted(0)), at(10, a=counted(50, hits=30, lookups=40, busy=2.5))
    found = metrics_between(after, before, "aks-v1")

    assert (found.tokens_per_query, found.frame_selection) == ("100", "2.0ms")
    assert (found.cache_hit_rate, found.encoder_utilization) == ("75%", "25%")
    assert found.latency_p50.endswith("ms")
    assert found.latency_p99.endswith("ms")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(at(0, a=counted(5)), at(10, a=counted(5)), id="nothing happened"),
        pytest.param(at(0), at(10), id="nobody was seen"),
        pytest.param(at(0, a=counted(9, lookups=9)), at(10, a=counted(2)), id="the counters went backward"),
    ],
)
def test_where_nothing_was_observed_nothing_is_said(before, after):
    found = metrics_between(after, before, "aks-v1")

    assert found.model_copy(update={"encoder_utilization": ""}) == FiveMetrics()
    assert found.encoder_utilization in ("", "0%")


def test_another_variant_is_not_counted():
    assert metrics_between(at(10, a=counted(50)), at(0, a=counted(0)), "dpp-v1") == FiveMetrics()


def test_a_process_that_is_new_counts_from_its_start_and_one_that_left_counts_no_more():
    before, after = at(0, left=counted(90)), at(10, new=counted(7))

    assert growth(after, before, f"{Metric.TOKENS_PER_QUERY}_count", **{Label.SAMPLER_VARIANT: "aks-v1"}) == 7


def test_work_that_began_before_the_window_is_at_most_all_of_it():
    found = metrics_between(at(1, a=counted(1, busy=30)), at(0, a=counted(0)), "aks-v1")

    assert found.encoder_utilization == "100%"


@pytest.mark.parametrize(
    ("edges", "counts", "share", "value"),
    [
        pytest.param((1, 2), (), 0.5, None, id="no reading"),
        pytest.param((1, 2), (0, 0, 0), 0.5, None, id="no observation"),
        pytest.param((1, 2), (10, 10, 10), 0.5, 0.5, id="inside the first bucket"),
        pytest.param((1, 2), (0, 10, 10), 0.5, 1.5, id="inside the second"),
        pytest.param((1, 2), (0, 0, 10), 0.5, math.inf, id="beyond the last edge"),
        pytest.param((1, 2), (10, 10, 10), 1.0, 1.0, id="at its end"),
    ],
)
def test_quantiles(edges, counts, share, value):
    assert quantile(edges, counts, share) == value


@given(st.lists(st.integers(0, 50), min_size=3, max_size=3), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_a_higher_quantile_is_never_lower(steps, one, other):
    counts = [sum(steps[: n + 1]) for n in range(3)]
    low, high = (quantile((1, 2, 4), counts, share) for share in sorted((one, other)))

    assert (low is None) == (high is None) == (counts[-1] == 0)
    assert low is None or 0 <= low <= high


@pytest.mark.parametrize(
    ("values", "field", "text"),
    [
        pytest.param({"latency_p50": 0.0123}, "latency_p50", "12.3ms", id="milliseconds"),
        pytest.param({"latency_p99": 2.5}, "latency_p99", "2.50s", id="seconds"),
        pytest.param({"frame_selection": 0.00005}, "frame_selection", "50µs", id="microseconds"),
        pytest.param({"latency_p99": math.inf}, "latency_p99", f">{LATENCY_EDGES[-1]:g}s", id="beyond the last edge"),
        pytest.param({"latency_p50": math.nan}, "latency_p50", "", id="not a number"),
        pytest.param({}, "latency_p50", "", id="not there"),
        pytest.param({"tokens_per_query": 15.6}, "tokens_per_query", "16", id="tokens are whole"),
        pytest.param({"cache_hit_rate": 0.999}, "cache_hit_rate", "100%", id="shares are percents"),
        pytest.param({"encoder_utilization": 1.7}, "encoder_utilization", "100%", id="at most all"),
        pytest.param({"cache_hit_rate": math.nan}, "cache_hit_rate", "", id="a share of nothing"),
        pytest.param({"latency_p99": 1e20}, "latency_p99", ">1e+09s", id="seconds of which no status has room"),
        pytest.param({"tokens_per_query": 1e300}, "tokens_per_query", ">1e+09", id="as many tokens"),
        pytest.param({"tokens_per_query": math.inf}, "tokens_per_query", ">1e+09", id="tokens without end"),
        pytest.param({"latency_p50": -1.0}, "latency_p50", "", id="seconds below zero"),
        pytest.param({"cache_hit_rate": -1.0}, "cache_hit_rate", "", id="a share below zero"),
    ],
)
def test_numbers_of_prometheus_as_people_read_them(values, field, text):
    assert getattr(texts(values), field) == text
