"""The queries: quoted so that no name can change their meaning, one per family, edges as exporters spell them."""

import pytest

from pitwall_operator.observe import promql
from pitwall_operator.observe.promql import Interest

A = Interest("shop", frozenset({"aks-v1"}), {"pitwall_queries_total": None})


@pytest.mark.parametrize(
    ("edge", "texts"),
    [
        (1.0, ("1.0", "1")),
        (0.5, ("0.5",)),
        (1.016, ("1.016",)),
        (100.0, ("100.0", "100")),
        (1e-05, ("1e-05",)),
        (float("inf"), ("+Inf",)),
    ],
)
def test_an_edge_is_asked_for_as_python_and_as_go_spell_it(edge, texts):
    assert promql.spellings(edge) == texts


@pytest.mark.parametrize(
    ("variant", "pattern"),
    [
        pytest.param("aks-v1", r"aks\\-v1", id="a hyphen"),
        pytest.param("a.b", r"a\\.b", id="a dot means a dot"),
        pytest.param('a"} or up{x="', r"a\"\\}\\ or\\ up\\{x=\"", id="a quote does not end the matcher"),
    ],
)
def test_no_name_changes_the_meaning_of_a_query(variant, pattern):
    [query] = promql.counter_queries([Interest("shop", frozenset({variant}), {"pitwall_queries_total": None})])

    assert query == '{__name__=~"pitwall_queries_total",sampler_variant=~"' + pattern + '"}'


def test_nobody_asks_nothing():
    assert promql.counter_queries([]) == ()


def test_two_rollouts_that_ask_the_same_share_a_query():
    other = Interest("shop", frozenset({"dpp-v1"}), {"pitwall_queries_total": None})
    [query] = promql.counter_queries([A, other])

    assert query.endswith(r'sampler_variant=~"aks\\-v1|dpp\\-v1"}')


def test_a_family_is_read_with_one_query_so_that_its_parts_are_of_one_moment():
    parts = {f"pitwall_tokens_{part}": None for part in ("bucket", "sum", "count")}
    queries = promql.counter_queries([Interest("shop", frozenset({"a"}), parts), A])

    assert len(queries) == 2
    assert "pitwall_tokens_bucket|pitwall_tokens_count|pitwall_tokens_sum" in queries[1]


def test_where_one_needs_all_edges_and_another_few_each_gets_its_own():
    few = Interest("shop", frozenset({"b"}), {"pitwall_l_bucket": frozenset({"1.0"}), "pitwall_l_count": None})
    whole = Interest("shop", frozenset({"a"}), {"pitwall_l_bucket": None, "pitwall_l_count": None})
    [query] = promql.counter_queries([few, whole])
    first, second = query.split(" or ")

    assert "le=" not in first
    assert second.endswith(r'sampler_variant=~"b",le=~"|1\\.0"}')


def test_processes_are_found_by_what_they_count_and_never_by_buckets():
    asked = Interest("shop", frozenset({"a"}), {"pitwall_l_bucket": None, "pitwall_l_count": None})
    start, age = promql.source_query([asked]), promql.age_query([asked])

    assert start.startswith("process_start_time_seconds and on (job, instance) {")
    assert age.startswith("timestamp(process_start_time_seconds) and on (job, instance) {")
    assert "_bucket" not in start + age


def test_the_five_queries_are_by_namespace_and_variant():
    queries = promql.variant_metric_queries(["aks-v1", "dpp-v1"])

    assert set(queries) == {
        "latency_p50", "latency_p99", "frame_selection", "tokens_per_query", "cache_hit_rate", "encoder_utilization",
    }  # fmt: skip
    assert all("by (namespace,sampler_variant" in query for query in queries.values())
    assert 'result="hit"' in queries["cache_hit_rate"]
