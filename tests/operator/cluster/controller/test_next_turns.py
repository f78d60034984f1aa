"""A rollout that rests is looked at seldom, also beside pods that stay for another flag's users; until that changes."""

import pytest

from pitwall_crds.names import FULL_WEIGHT, Arm, Pool
from pitwall_crds.rollout.status import Phase, RolloutStatus
from pitwall_crds.variant.pools import pool_name
from pitwall_operator.cluster.controller.next_turns import MOVING_SECONDS, UNSETTLED_SECONDS, Due
from pitwall_operator.decision.decide import Decision
from pitwall_operator.decision.weighing.analyze import Judgement
from pitwall_operator.turn.turn import TurnResult
from pitwall_operator.values.effects import DrainVariant
from pitwall_operator.values.observation import Observation, ShadowSeen, Share, SplitSeen, Unseen

KEY, REST = ("shop", "sampler"), 600.0
SPLIT = SplitSeen((Share(Arm.STABLE, "uniform", FULL_WEIGHT),))
LENT = {"aks": "former.flag"}
DRAIN = DrainVariant("aks", Pool.MAIN)


def turned(elsewhere=None, *, phase=Phase.STABLE, effects=()) -> TurnResult:
    seen = Observation(0.0, {}, SPLIT, ShadowSeen(), Unseen("-"), elsewhere={} if elsewhere is None else elsewhere)
    return TurnResult(seen, Decision(RolloutStatus(phase=phase), effects, Judgement()), ())


def pool(variant: str, ready: int = 1, kind: Pool = Pool.MAIN) -> dict[str, object]:
    labels = {"pitwall.dev/variant": variant, "pitwall.dev/pool": kind.value, "pitwall.dev/rollout": "sampler"}
    metadata = {"namespace": "shop", "name": pool_name(variant, kind), "labels": labels, "generation": 1}
    counts = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": ready}
    return {"metadata": metadata, "spec": {"replicas": 1}, "status": counts}


def after_a_while(done: TurnResult, *pools: dict[str, object]) -> float:
    """When the next turn is due, once nothing is new any more."""
    due = Due(REST)
    due.after(KEY, done, pools)
    return due.after(KEY, done, pools)


@pytest.mark.parametrize(
    ("done", "pools", "seconds"),
    [
        pytest.param(turned(), [pool("uniform")], REST, id="it rests"),
        pytest.param(turned(phase=Phase.CANARY), [pool("uniform")], MOVING_SECONDS, id="it moves"),
        pytest.param(turned(), [pool("uniform", ready=0)], UNSETTLED_SECONDS, id="its pods are not ready"),
        pytest.param(turned(), [pool("uniform"), pool("aks")], UNSETTLED_SECONDS, id="pods are left that are to go"),
        pytest.param(turned(effects=(DRAIN,)), [pool("uniform")], UNSETTLED_SECONDS, id="it did something"),
        pytest.param(turned(LENT), [pool("uniform"), pool("aks")], REST, id="pods that serve another flag"),
        pytest.param(turned(LENT), [pool("uniform"), pool("aks", ready=0)], REST, id="which are that flag's to mend"),
        pytest.param(turned({"uniform": "f"}), [pool("uniform", ready=0)], UNSETTLED_SECONDS, id="its own serve both"),
        pytest.param(
            turned(LENT), [pool("uniform"), pool("aks", kind=Pool.CANDIDATE)], UNSETTLED_SECONDS, id="no main pool"
        ),
        pytest.param(
            turned(Unseen("away")), [pool("uniform"), pool("aks")], UNSETTLED_SECONDS, id="flags cannot be seen"
        ),
    ],
)  # fmt: skip
def test_when_the_next_turn_is_due(done, pools, seconds):
    assert after_a_while(done, *pools) == seconds


def test_who_wrote_a_flag_before_it_was_known_to_be_beside_is_seen_by_one_more_turn():
    due, pools = Due(REST), [pool("uniform"), pool("aks")]

    assert [due.after(KEY, turned(LENT), pools) for _ in range(3)] == [UNSETTLED_SECONDS, REST, REST]
    assert due.after(KEY, turned(), pools[:1]) == UNSETTLED_SECONDS


def test_whom_a_flag_concerns_that_keeps_pods_beside():
    due = Due(REST)
    due.after(KEY, turned(LENT), ())
    due.after(("shop", "another"), turned({"aks": "b", "dpp": "c"}), ())
    due.after(("shop", "alone"), turned(), ())

    assert due.beside({"former.flag"}) == {KEY}
    assert due.beside({"former.flag", "c"}) == {KEY, ("shop", "another")}
    assert due.beside({"nobodys"}) == due.beside(()) == frozenset()
    due.forget(KEY)
    due.forget(KEY)
    assert due.beside({"former.flag"}) == frozenset()
