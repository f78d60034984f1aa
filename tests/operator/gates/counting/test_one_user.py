"""What one user has of a candidate's bad trials, read at the edges that a gate weighs."""

import pytest

from pitwall_crds.rollout.gate import Gate
from pitwall_operator.evidence.basis.counts import Counts, OfOne, Tally, UsersServed
from pitwall_operator.gates.counting import counters
from pitwall_operator.gates.counting.one_user import served, with_one_user
from pitwall_operator.observe.scrape import parse
from pitwall_operator.values.observation import Reading

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


def users(outcome, number, *, arm="candidate"):
    whose = f'sampler_variant="{"b" if arm == "candidate" else "a"}",arm="{arm}",run="run-2"'
    return f'pitwall_evidence_users{{{whose},outcome="{outcome}"}} {number}\n'


def test_whom_the_arms_fail_is_summed_over_gateways_for_a_gate_on_errors():
    one = users("error", 1) + users("ok", 4) + users("ok", 6, arm="control")
    reading = Reading(0.0, {"a": parse(one), "b": parse(users("error", 0) + users("ok", 5))})
    errors, cold = (
        Gate.model_validate({"name": "gate", "rate": {"metric": metric}}) for metric in ("Errors", "ColdQueries")
    )

    assert served(reading, errors, RUN) == UsersServed(control=Tally(6), candidate=Tally(10, 1))
    assert served(reading, cold, RUN) == UsersServed()


def test_a_gateway_that_begins_anew_does_not_let_pass_whom_the_last_one_held():
    before, anew = UsersServed(Tally(6), Tally(6, 1)), UsersServed(Tally(1), Tally(1))

    assert (Counts(served=before) + Counts(served=anew)).served == before
    assert (Counts(served=before) + Counts(served=UsersServed(Tally(6), Tally(6)))).served == UsersServed(
        Tally(6), Tally(6)
    )
    assert Counts.from_state(Counts(served=before).to_state()).served == before
