"""The queries: quoted so that no name can change their meaning, one per family, edges as gateways spell them."""

import pytest

from pitwall_crds.names import MEAN, Metric
from pitwall_crds.rollout.rollout import Rollout
from pitwall_gateway.counting import exposition
from pitwall_operator.gates.counting import counters, gross, latency_thresholds
from pitwall_operator.observe import promql
from pitwall_operator.observe.promql import Interest

A = Interest("shop", frozenset({"aks-v1"}), {"pitwall_queries_total": None})
OURS = 'job="g"'
STAGES = [{"weightBasisPoints": 1000}, {"weightBasisPoints": 10000}]
WITHIN, BEYOND = str(Metric.EVIDENCE_WITHIN), str(Metric.EVIDENCE_BEYOND)


def family_queries(*interests: Interest) -> tuple[str, ...]:
    """Those beside the label window, which is always asked for."""
    first, *others = promql.counter_queries(interests, OURS)
    assert first == f'{Metric.LABEL_WINDOW}{{namespace=~"|shop",{OURS}}}'
    return tuple(others)


@pytest.mark.parametrize(
    ("edge", "text"), [(1.0, "1.0"), (0.5, "0.5"), (1.016, "1.016"), (100.0, "100.0"), (1e-05, "1e-05"), (1e6, "1e+06")]
)
def test_an_edge_is_spelled_as_gateways_spell_it(edge, text):
    assert counters.edge_text(edge) == text
    assert exposition.edge_names([edge]) == (text,)


@pytest.mark.parametrize(
    ("variant", "pattern"),
    [
        pytest.param("aks-v1", r"aks\\-v1", id="a hyphen"),
        pytest.param("a.b", r"a\\.b", id="a dot means a dot"),
        pytest.param('a"} or up{x="', r"a\"\\}\\ or\\ up\\{x=\"", id="a quote does not end the matcher"),
    ],
)
def test_no_name_changes_the_meaning_of_a_query(variant, pattern):
    [query] = family_queries(Interest("shop", frozenset({variant}), {"pitwall_queries_total": None}))

    assert query == '{__name__=~"pitwall_queries_total",sampler_variant=~"' + pattern + '",namespace=~"|shop",job="g"}'


def test_nobody_asks_for_the_label_window_alone():
    assert promql.counter_queries([], OURS) == (f'{Metric.LABEL_WINDOW}{{namespace=~"",{OURS}}}',)


def test_what_pods_of_other_namespaces_export_is_not_asked_for():
    there = Interest("video.qa", frozenset({"aks-v1"}), {"pitwall_queries_total": None})
    ours = ([A, there], OURS)
    asked = [promql.source_query(*ours), promql.age_query(*ours), *promql.counter_queries(*ours)]
    selectors = [selector for query in asked for selector in query.split("{")[1:]]

    assert len(selectors) == 6
    assert all(rf'namespace=~"|shop|video\\.qa",{OURS}' in selector for selector in selectors)
    assert all(
        selector.count(r'namespace=~"|shop"') == 1
        for query in promql.variant_metric_queries([A], OURS).values()
        for selector in query.split("{")[1:]
    )


def test_two_rollouts_that_ask_the_same_share_a_query():
    other = Interest("shop", frozenset({"dpp-v1"}), {"pitwall_queries_total": None})
    [query] = family_queries(A, other)

    assert query.endswith(r'sampler_variant=~"aks\\-v1|dpp\\-v1",namespace=~"|shop",job="g"}')


def test_a_family_is_read_with_one_query_so_that_its_parts_are_of_one_moment():
    parts = {f"pitwall_tokens_{part}": None for part in ("bucket", "sum", "count")}
    queries = family_queries(Interest("shop", frozenset({"a"}), parts), A)

    assert len(queries) == 2
    assert "pitwall_tokens_bucket|pitwall_tokens_count|pitwall_tokens_sum" in queries[1]


@pytest.mark.parametrize("family", [*promql.BY_EDGE, "pitwall_l_bucket"])
def test_where_one_needs_all_edges_and_another_few_each_gets_its_own(family):
    few = Interest("shop", frozenset({"b"}), {str(family): frozenset({"1.0"})})
    whole = Interest("shop", frozenset({"a"}), {str(family): None})
    [query] = family_queries(few, whole)
    first, second = query.split(" or ")

    assert "edge=" not in first
    assert second.endswith(r'sampler_variant=~"b",namespace=~"|shop",job="g",edge=~"1\\.0"}')


def test_those_that_need_a_few_edges_share_a_query_per_family():
    one = Interest("shop", frozenset({"a"}), dict.fromkeys((WITHIN, BEYOND), frozenset({"1.0"})))
    other = Interest("shop", frozenset({"b"}), dict.fromkeys((WITHIN, BEYOND), frozenset({"0.5"})))
    queries = family_queries(one, other)

    assert queries == tuple(
        f'{{__name__=~"{family}",sampler_variant=~"a|b",namespace=~"|shop",job="g",edge=~"0\\\\.5|1\\\\.0"}}'
        for family in (BEYOND, WITHIN)
    )


def test_of_who_left_a_gate_on_errors_asks_for_one_number_and_not_for_every_edge():
    gates = [{"name": "errors", "rate": {"metric": "Errors"}}]
    spec = {"flag": "f", "variantRef": {"name": "b"}, "stages": STAGES, "analysis": {"gates": gates}}
    rollout = Rollout.model_validate({"metadata": {"name": "r"}, "spec": spec})

    assert promql.interest(rollout).samples[Metric.EVIDENCE_ABANDONED] == {"+Inf"}


def test_processes_are_found_by_what_they_count_and_never_by_series_of_edges():
    asked = Interest("shop", frozenset({"a"}), dict.fromkeys((WITHIN, BEYOND, "pitwall_l_bucket", "pitwall_l_count")))
    start, age = promql.source_query([asked], OURS), promql.age_query([asked], OURS)

    assert start.startswith('process_start_time_seconds{namespace=~"|shop",job="g"} and on (job, instance) {')
    assert age.startswith('timestamp(process_start_time_seconds{namespace=~"|shop",job="g"}) and on (job, instance) {')
    assert '{__name__=~"pitwall_l_count",' in start
    assert not any(name in start + age for name in (WITHIN, BEYOND, "_bucket"))


def test_the_five_queries_are_by_namespace_and_variant():
    queries = promql.variant_metric_queries([A], OURS)

    assert set(queries) == {
        "latency_p50", "latency_p99", "frame_selection", "tokens_per_query", "cache_hit_rate", "encoder_utilization",
    }  # fmt: skip
    assert all("by (namespace,sampler_variant" in query for query in queries.values())
    assert 'result="hit"' in queries["cache_hit_rate"]


def test_of_what_users_differ_by_the_gates_edges_alone_are_read(world):
    world.to_canary()
    samples = promql.interest(world.rollout).samples
    edges = samples[Metric.EVIDENCE_ERROR]

    assert edges is not None
    assert MEAN in edges  # of rates and means
    assert edges - {MEAN} == samples[Metric.EVIDENCE_BEYOND]
    assert samples[Metric.EVIDENCE_SHIFT] == samples[Metric.EVIDENCE_ONE_USER] == edges
    assert {Metric.EVIDENCE_USERS, Metric.EVIDENCE_SERVED} <= samples.keys()


def test_the_edge_beyond_which_questions_are_grossly_slow_is_read(world):
    """It was not: whatever a candidate did where no control is loaded as it is, none of its questions was beyond it."""
    world.to_canary()
    tails = {state.name: latency_thresholds.edges_of(state.tail) for state in world.status.gates}
    gates = [gate for gate in world.rollout.spec.analysis.gates if gate.quantile and tails[gate.name]]
    edges = promql.interest(world.rollout).samples[Metric.EVIDENCE_BEYOND]

    assert gates
    assert all(counters.edge_text(gross.gross_edges(gate, tails[gate.name])[1]) in edges for gate in gates)
