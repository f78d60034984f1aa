"""What a plan needs to know of the traffic is read from gateways' counters, and only what they have seen enough of."""

import pytest

from pitwall_crds.rollout.rollout import Analysis
from pitwall_operator.gates.counting.expected import assumed
from pitwall_operator.gates.counting.present import measure
from pitwall_operator.observe.scrape import parse
from pitwall_operator.values.observation import Reading

GATES = (
    {"name": "p99", "quantile": {"metric": "QueryLatency"}},
    {"name": "errors", "rate": {"metric": "Errors"}},
    {"name": "thumbs", "rate": {"metric": "ThumbsDown"}},
    {"name": "tokens", "mean": {"metric": "TokensPerQuery"}},
)
ANALYSIS = Analysis.model_validate({"gates": GATES})
STABLE = 'sampler_variant="old",arm="stable"'


def reading(seconds: float, answers: int, *more: str) -> Reading:
    lines = (
        "process_start_time_seconds 1000",
        f'pitwall_queries_total{{{STABLE},outcome="ok"}} {answers}',
        f'pitwall_evidence_queries_total{{{STABLE},run="r",outcome="ok"}} {answers - answers // 50}',
        f'pitwall_evidence_queries_total{{{STABLE},run="r",outcome="error"}} {answers // 50}',
        *more,
    )
    return Reading(1000 + seconds, {"gateway": parse("\n".join(lines) + "\n")})


def test_traffic_and_rates_are_those_since_the_gateway_started():
    found = measure(ANALYSIS, reading(10_000, 5000), "old")

    assert found is not None
    assert found.traffic.questions_per_second == pytest.approx(0.5)
    errors = found.traffic.gates["errors"]
    assert (errors.bad_rate, errors.trials_per_question) == (pytest.approx(0.02, rel=0.01), 1.0)
    assert found.measured["errors"] == "2% bad, 1 trials a question"


def test_few_questions_say_nothing():
    assert measure(ANALYSIS, reading(10_000, 99), "old") is None


def test_trials_that_never_came_are_known_once_labels_had_their_time():
    early, late = (measure(ANALYSIS, reading(seconds, 5000), "old") for seconds in (3000, 10_000))

    assert early is not None
    assert late is not None
    assert early.traffic.gates["thumbs"] == assumed(ANALYSIS.gates[2])
    assert late.traffic.gates["thumbs"].trials_per_question == 0.0


def test_the_shape_of_latencies_and_the_length_of_blocks_are_read():
    buckets = [
        f'pitwall_history_latency_seconds_bucket{{{STABLE},le="{edge}"}} {count}'
        for edge, count in (("0.128", 600), ("1.024", 995), ("+Inf", 1000))
    ]
    memory = 'pitwall_evidence_memory_seconds{sampler_variant="old"} 11.2'
    found = measure(ANALYSIS, reading(10_000, 1000, *buckets, memory), "old")

    assert found is not None
    assert found.measured["p99"] == "p50 0.128 s, p99 1.02 s"
    assert found.traffic.gates["p99"].spread == pytest.approx(0.894, rel=0.01)
    assert found.traffic.block_seconds == 12.0
