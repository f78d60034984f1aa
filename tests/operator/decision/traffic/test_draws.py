"""Who is drawn for what: shares, copies and experiments ask no one group of users for everything, and nobody knows whom
beforehand."""

import pytest

from pitwall_crds.names import Arm, copies_salt, experiment_flag, run_of, shadow_flag
from pitwall_crds.rollout.rollout import Experiment, Reference, ShadowStage
from pitwall_flags.flag.document import ArmShare, shadow_document, split_document
from pitwall_flags.flag.flagset import FlagSet
from pitwall_operator.values.effects import SetShadow

USERS = [f"user-{number}" for number in range(4000)]
SHARE = 0.2


def drawn(document, arm):
    """The users whom the document gives this arm."""
    flags = FlagSet({"flags": {"f": document}})
    return {user for user in USERS if flags.evaluate("f", user, {}).variant == arm}


@pytest.fixture
def salts(world):
    """A candidate in shadow beside an experiment; the salts by flag, and the run."""
    experiment = Experiment(variant_ref=Reference(name="dpp-v1"), shadow=ShadowStage(percent=20))
    world.apply("rollout-aks.yaml")
    world.want(experiments=(experiment,))
    for _ in range(4):
        world.turn()
    runs = {one.flag: one.run for one in world.applied if isinstance(one, SetShadow)}
    flags = (shadow_flag(world.rollout.spec.flag), experiment_flag(world.rollout.spec.flag, "dpp-v1"))
    shadow, experiment = (copies_salt(runs[flag], flag) for flag in flags)
    return world.status.run_id, shadow, experiment


def test_copies_and_experiments_are_drawn_apart_from_the_arms_and_from_each_other(salts):
    run, shadow, experiment = salts
    shares = [ArmShare("candidate", "a", 2000), ArmShare("control", "b", 2000), ArmShare("stable", "b", 6000)]
    candidate = drawn(split_document(shares, salt=run), Arm.CANDIDATE)
    copied, tried = (drawn(shadow_document("c", 20, salt=salt), Arm.SHADOW) for salt in (shadow, experiment))

    for one, other in ((candidate, copied), (candidate, tried), (copied, tried)):
        both = len(one & other) / len(USERS)
        assert abs(both - SHARE**2) < 0.02, "six standard deviations around a fifth of a fifth"


def test_copies_still_count_for_their_run(salts):
    run, shadow, _ = salts

    assert run_of(shadow) == run_of(run) == run


def test_the_salt_of_a_run_cannot_be_computed_from_what_is_public(world):
    """The same resources decided twice, as a stranger would who has a copy of them, draw other users."""
    runs = set()
    for nonce in ("a", "b"):
        other = type(world)(world.rollout, pools=world.pools, split=world.split)
        other.nonce = nonce
        other.apply("rollout-aks.yaml")
        for _ in range(3):
            other.turn()
        runs.add(other.status.run_id)

    assert len(runs) == 2
    assert all(len(run) == 16 for run in runs)
