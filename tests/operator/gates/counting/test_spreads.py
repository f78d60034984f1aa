"""What users differ by, read from gateways' gauges at the edges that a gate weighs."""

import pytest

from pitwall_crds.rollout.gate import Gate
from pitwall_operator.evidence.basis.spread import ArmsSpread
from pitwall_operator.gates.counting import counters
from pitwall_operator.gates.counting.spreads import spreads
from pitwall_operator.observe.scrape import parse
from pitwall_operator.values.observation import Reading

RUN = counters.Run("a", "b", "run-2")
TAIL = counters.TailEdges(1.0, 1.149, ((0.5, 0.5743),))
LATENCY = {"quantile": {"metric": "QueryLatency"}}


def told(arm, quantity, edge, *, trials=400, bad=100, design=9.0, run="run-2"):
    """A gateway's counters and gauges of one arm at one edge."""
    whose = f'sampler_variant="{"b" if arm == "candidate" else "a"}",arm="{arm}",run="{run}"'
    where = f'{whose},quantity="{quantity}"'
    error = (bad / trials * (1 - bad / trials) / trials) ** 0.5
    return (
        f'pitwall_evidence_within_total{{{where},edge="{edge}"}} {trials - bad}',
        f'pitwall_evidence_beyond_total{{{where},edge="{edge}"}} {bad}',
        f"pitwall_evidence_valued_total{{{where}}} {trials}",
        f'pitwall_evidence_queries_total{{{whose},outcome="ok"}} {trials}',
        f'pitwall_evidence_cache_queries_total{{{whose},result="warm"}} {trials}',
        f'pitwall_evidence_standard_error{{{where},edge="{edge}",unit="query"}} {error}',
        f'pitwall_evidence_standard_error{{{where},edge="{edge}",unit="user"}} {error * design**0.5}',
        f'pitwall_evidence_standard_error{{{where},edge="{edge}",unit="most-users"}} {error * 2}',
        f'pitwall_evidence_standard_error{{{where},edge="{edge}",unit="query-of-most"}} {error}',
        f'pitwall_evidence_most_users_shift{{{where},edge="{edge}"}} -0.5',
        f"pitwall_evidence_effective_users{{{where}}} 20",
    )


def read(gate, tail, *gateways):
    sources = {
        f"gateway-{number}": parse("\n".join(dict.fromkeys(lines)) + "\n") for number, lines in enumerate(gateways)
    }
    rows = {name: counters.totals(source, gate, tail, RUN) for name, source in sources.items()}
    return spreads(Reading(0.0, sources), gate, tail, RUN, rows)


def test_a_quantile_reads_each_arm_at_its_own_edges():
    gate = Gate.model_validate({"name": "latency"} | LATENCY)
    lines = (*told("control", "latency", "1.0"), *told("candidate", "latency", "1.149", design=4.0))
    own, further = read(gate, TAIL, (*lines, *told("control", "latency", "0.5", design=2.0)))

    assert [spread.design for spread in (own.control, own.candidate, further.control)] == pytest.approx([9, 4, 2])
    assert (own.control.users, own.control.variance) == pytest.approx((20, 0.1875))
    assert (own.candidate.shift, own.candidate.most) == pytest.approx((-0.5, 4))
    assert not further.candidate.trials


@pytest.mark.parametrize(
    ("gate", "quantity"),
    [
        ({"rate": {"metric": "Errors"}}, "error"),
        ({"rate": {"metric": "ColdQueries"}}, "cold"),
        ({"mean": {"metric": "TokensPerQuery"}}, "tokens"),
        ({"mean": {"metric": "FrameSelection"}}, "selection"),
        ({"mean": {"metric": "EncoderUtilization"}}, "encoder"),
    ],
)
def test_a_rate_and_a_mean_read_what_is_told_without_an_edge(gate, quantity):
    lines = (line for arm in ("control", "candidate") for line in told(arm, quantity, "mean"))
    (found,) = read(Gate.model_validate({"name": "one"} | gate), None, (*lines,))

    assert (found.control.design, found.candidate.design) == pytest.approx((9, 9))


@pytest.mark.parametrize(
    ("gate", "tail"),
    [
        pytest.param({"rate": {"metric": "ThumbsDown"}}, None, id="users count once"),
        pytest.param(LATENCY, None, id="no edges yet"),
    ],
)
def test_nothing_is_read_where_there_is_nothing_to_ask(gate, tail):
    assert read(Gate.model_validate({"name": "one"} | gate), tail, told("candidate", "latency", "1.149")) == ()


def test_gateways_that_do_not_tell_and_other_runs_are_not_heard():
    gate = Gate.model_validate({"name": "latency"} | LATENCY)
    silent = [line for line in told("candidate", "latency", "1.149") if "_total" in line]
    found = read(gate, TAIL, silent, told("candidate", "latency", "1.149", run="run-1"))

    assert found == (ArmsSpread(), ArmsSpread())
