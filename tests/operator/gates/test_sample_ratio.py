"""Users against the split: who is counted when, what a mismatch does, and that it spends its error budget once."""

import json
import math
import random
from collections.abc import Mapping

import pytest

from pitwall_crds.names import Arm, Metric
from pitwall_crds.rollout.status import Phase, Verdict
from pitwall_flags.flag.document import split_name
from pitwall_operator.gates.counting.new_users import STRAY_SECONDS
from pitwall_operator.gates.sample_ratio import ALPHA, GATEWAYS, UNCOUNTED, SampleRatio, UsersBlock, log_threshold
from pitwall_operator.record.lines import evidence_lines
from pitwall_operator.record.replay import replay

ARMS = (Arm.CANDIDATE, Arm.CONTROL, Arm.STABLE)
SHARES = (0.1, 0.1, 0.8)


def block(users: Mapping[str, tuple[int, ...]], split: str = "10%") -> UsersBlock:
    return UsersBlock(split, 4, ARMS, SHARES, tuple(users.items()))


def drawn(draw: random.Random, shares=SHARES, users: int = 50) -> tuple[int, ...]:
    arms = draw.choices(range(3), shares, k=users)
    return tuple(arms.count(arm) for arm in range(3))


def test_all_that_may_ever_alarm_spends_alpha_once():
    stages = 5
    spent = stages * sum(math.exp(-log_threshold(stages, rank)) for rank in range(1, 10_000))
    assert spent == pytest.approx(ALPHA, rel=1e-3)


def test_one_user_at_every_gateway_raises_no_alarm():
    """Counted together, users who ask three gateways would look like three times as many who agree by chance."""
    for seed in range(100):
        draw, ratio = random.Random(seed), UNCOUNTED
        for _ in range(20):
            users = drawn(draw)
            ratio = ratio.update(block(dict.fromkeys(("one", "two", "three"), users)))
        assert ratio.mismatch() == ""


def test_a_gateway_with_another_split_is_named_with_its_numbers_and_the_likely_causes():
    draw, ratio = random.Random(1), UNCOUNTED
    for _ in range(60):
        ratio = ratio.update(block({"sound": drawn(draw), "stale": drawn(draw, (0.01, 0.01, 0.98))}))
    words = ratio.mismatch()
    assert "at stale; look for a gateway that follows an old split" in words
    assert "for 10%, " in words


def test_another_split_starts_anew():
    draw, ratio = random.Random(1), UNCOUNTED
    for _ in range(60):
        ratio = ratio.update(block({"gateway": drawn(draw, (0.02, 0.18, 0.8))}))
    assert ratio.mismatch()
    assert ratio.update(block({"gateway": (1, 1, 8)}, split="50%")).mismatch() == ""


def test_memory_is_bounded_whatever_restarts():
    ratio = UNCOUNTED
    for number in range(3 * GATEWAYS):
        ratio = ratio.update(block({f"gateway-{number}": (1, 1, 8)}))
    assert len(ratio.gateways) == GATEWAYS


def test_restoring_at_every_block_changes_nothing():
    draw = random.Random(3)
    straight = restored = UNCOUNTED
    for number in range(30):
        one = block({"one": drawn(draw), "two": drawn(draw)}, split=str(number // 20))
        straight = straight.update(UsersBlock.from_state(json.loads(json.dumps(one.to_state()))))
        restored = SampleRatio.from_state(json.loads(json.dumps(restored.update(one).to_state())))
        assert restored == straight


# --- in a rollout ---


def condition(world) -> tuple[str, str]:
    return next((c.status, c.message) for c in world.status.conditions if c.type == "SampleRatio")


def in_force(world) -> str:
    """The split as a gateway names it."""
    return split_name(world.split.salt, {share.arm: share.weight for share in world.shares()})


def users_come(world, draw: random.Random, skew: float = 1.0, count: int = 400) -> None:
    """New users at the split's weights; the candidate gets `skew` times its share."""
    for share in world.shares():
        expected = count * share.weight / 10_000 * (skew if share.arm is Arm.CANDIDATE else 1)
        world.counters.meet(share.variant, share.arm, round(expected + draw.random() - 0.5), in_force(world))


def walk(world, skew: float, *, until, limit: int = 400) -> list:
    """The lines that a rollout leaves whose users come like this."""
    draw, written = random.Random(5), []
    world.apply("rollout-aks.yaml")
    for _ in range(limit):
        if until(world):
            return json.loads(json.dumps(written))
        world.good_block()
        users_come(world, draw, skew)
        before = world.rollout
        decision = world.turn()
        written += evidence_lines(before, decision)
    raise AssertionError(f"never happened: {world.status.phase}, {world.status.reason}")


def is_promoted(world) -> bool:
    return world.status.stable_variant == "aks-v1"


def test_a_sound_split_is_told_and_stands_in_nobodys_way(world):
    words = "users are split as the flag says: candidate 50.00% for 50%, control 50.00% for 50% ("
    walk(world, 1.0, until=lambda w: condition(w)[1].startswith(words))

    assert condition(world)[0] == "True"
    walk(world, 1.0, until=is_promoted)


def test_a_mismatch_holds_as_unmeasured_and_flags_nothing_off(world):
    walk(world, 4.0, until=lambda w: condition(w)[0] == "False")
    stage = world.status.stage_index
    for _ in range(60):
        world.good_block()
        world.turn()

    assert (world.status.phase, world.status.stage_index) == (Phase.CANARY, stage)
    assert world.status.verdict is Verdict.UNMEASURED
    assert "users are not split as the flag says" in world.status.reason
    assert world.status.flagged_off == ()


def test_harm_that_is_proven_still_flags_off(world):
    walk(world, 4.0, until=lambda w: condition(w)[0] == "False")

    world.until(
        lambda w: w.status.phase is Phase.FLAGGED_OFF,
        lambda: world.block("aks-v1", candidate_seconds=0.5, bad=9, good=1),
        limit=60,
    )

    assert [off.variant for off in world.status.flagged_off] == ["aks-v1"]


def test_replay_agrees_when_a_split_comes_back_after_its_stage_was_taken_out_for_a_while(world):
    draw, written = random.Random(4), walk(world, 1.0, until=lambda w: w.status.stage == "1%")
    stages = world.rollout.spec.stages
    for turns, shorter in ((12, stages), (10, (stages[0], *stages[2:])), (40, stages)):
        world.want(stages=tuple(stage.model_copy(update={"min_seconds": 20}) for stage in shorter))
        for _ in range(turns):
            if world.weight(Arm.CANDIDATE):
                users_come(world, draw, count=40)
            world.good_block()
            before = world.rollout
            written += json.loads(json.dumps(list(evidence_lines(before, world.turn()))))

    assert any(block.ratio.users for block in replay(written))
    assert [words for one in replay(written) for words in one.disagreements()] == []


def test_replay_agrees_with_what_was_said_of_users(world):
    written = walk(world, 1.0, until=is_promoted)
    told = [line for line in written if line["kind"] == "block" and line["users"] and line["users"]["users"]]

    assert len(told) > 5
    assert [words for one in replay(written) for words in one.disagreements()] == []
    told[3]["users"]["users"][0][1][0] += 40
    assert any("users" in words for one in replay(written) for words in one.disagreements())


def to_canary(world) -> str:
    """The first split's name."""
    walk(world, 1.0, until=lambda w: w.weight(Arm.CANDIDATE) == 100 and w.status.stage == "1%")
    return in_force(world)


def test_users_of_another_split_are_left_out_while_the_change_is_young(world):
    old = to_canary(world)
    walk(world, 1.0, until=lambda w: w.weight(Arm.CANDIDATE) == 1000 and w.status.stage == "10%")
    world.counters.meet("uniform-v1", Arm.STABLE, 5000, old)
    for _ in range(8):
        users_come(world, random.Random(1))
        world.good_block()
        world.turn()

    assert condition(world)[0] == "True"


def test_a_gateway_that_keeps_to_an_old_split_is_named(world):
    to_canary(world)
    world.want(paused=True)
    world.turn()  # the split is seen in force
    for seconds in (STRAY_SECONDS, 10):
        world.counters.meet("uniform-v1", Arm.STABLE, 70, "another split")
        world.turn(seconds)

    assert condition(world) == (
        "False",
        "gateway gave 70 new users an arm by another split: it does not follow the flag service",
    )


def test_a_gateway_that_counts_no_users_says_nothing(world):
    world.apply("rollout-aks.yaml")
    world.until(lambda w: w.weight(Arm.CANDIDATE) > 0, world.good_block)
    for _ in range(12):
        world.good_block()
        world.turn()

    assert Metric.USERS not in world.counters.samples()
    assert condition(world)[0] == "Unknown"
