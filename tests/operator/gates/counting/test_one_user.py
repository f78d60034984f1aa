"""What one user has of a candidate's bad trials, read at the edges that a gate weighs."""

import pytest

from pitwall_crds.rollout.gate import Gate
from pitwall_operator.evidence.basis.counts import Counts, OfOne
from pitwall_operator.gates.counting import counters
from pitwall_operator.gates.counting.one_user import with_one_user
from pitwall_operator.observe.scrape import parse

RUN = counters.Run("a", "b", "run-2")
TAIL = counters.TailEdges(1.024, 1.218, ((0.512, 0.609),) * 3)


def line(quantity, edge, trials, *, arm="candidate", run="run-2"):
    whose = f'sampler_variant="{"b" if arm == "candidate" else "a"}",arm="{arm}",run="{run}"'
    return f'pitwall_evidence_one_user_total{{{whose},quantity="{quantity}",edge="{edge}"}} {trials}\n'


def read(gate, text, tail=None):
    return with_one_user(parse(text), Gate.model_validate({"name": "gate", **gate}), tail, RUN, Counts()).of_one


@pytest.mark.parametrize(("metric", "quantity"), [("Errors", "error"), ("ColdQueries", "cold")])
def test_of_a_rate_the_candidates_of_this_run_are_read(metric, quantity):
    text = line(quantity, "mean", 7) + line(quantity, "mean", 9, arm="control") + line(quantity, "mean", 9, run="run-1")

    assert read({"rate": {"metric": metric}}, text) == OfOne(candidate=7)
    assert read({"rate": {"metric": metric, "objectiveBasisPoints": 100}}, text) == OfOne(7, 7)


def test_of_a_quantile_at_its_own_edge_and_its_objectives():
    edge = counters.objective_edge(
        gate := Gate.model_validate(
            {"name": "gate", "quantile": {"metric": "QueryLatency", "perMille": 990, "objectiveMilliseconds": 4000}}
        )
    )
    text = line("latency", "1.218", 5) + line("latency", counters.edge_text(edge), 3)

    assert with_one_user(parse(text), gate, TAIL, RUN, Counts()).of_one == OfOne(5, 3)
    assert with_one_user(parse(text), gate, None, RUN, Counts()).of_one == OfOne()


@pytest.mark.parametrize("gate", [{"rate": {"metric": "ThumbsDown"}}, {"mean": {"metric": "TokensPerQuery"}}])
def test_of_opinions_and_means_nothing_is_told(gate):
    assert read(gate, line("error", "mean", 7) + line("tokens", "mean", 7)) == OfOne()
