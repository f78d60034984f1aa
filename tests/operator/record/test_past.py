"""What a Rollout that was made anew learns from the record."""

import json

import pytest

from pitwall_crds.rollout.action import Action, Verb
from pitwall_crds.rollout.status import Phase
from pitwall_operator.record.lines import evidence_lines
from pitwall_operator.record.past import past
from pitwall_operator.values.observation import Past


async def told(*records) -> Past:
    async def each(lines):
        for line in json.loads(json.dumps(lines)):
            yield line

    return await past(each(lines) for lines in records)


def walk(world, turns: int = 4) -> list:
    written = []
    for _ in range(turns):
        before = world.rollout
        written += evidence_lines(before, world.turn())
    return written


def ask(world, number: str, verb: Verb) -> None:
    world.want(action=Action(id=number, verb=verb))


async def test_what_was_taken_off_and_the_last_run(world):
    world.apply("rollout-aks.yaml")
    written = walk(world)
    run = world.status.run_id
    ask(world, "1", Verb.ABORT)
    written += walk(world)
    found = await told(written)

    assert found.last_run == run
    assert [(off.variant, off.revision, off.aborted) for off in found.flagged_off] == [("aks-v1", "r1", True)]


async def test_what_was_tried_again_since_is_not_off(world):
    world.apply("rollout-aks.yaml")
    written = walk(world)
    ask(world, "1", Verb.ABORT)
    written += walk(world)
    ask(world, "2", Verb.RETRY)
    written += walk(world)

    assert (await told(written)).flagged_off == ()


async def test_what_was_off_before_it_was_declared_is_off_at_the_revision_that_was(world):
    world.apply("rollout-aks.yaml")
    world.revisions.pop("aks-v1")
    ask(world, "1", Verb.ABORT)
    written = walk(world)
    assert [(off.variant, off.revision) for off in (await told(written)).flagged_off] == [("aks-v1", "")]
    world.edit("aks-v1", "r1")
    written += walk(world)
    assert [(off.variant, off.revision) for off in (await told(written)).flagged_off] == [("aks-v1", "r1")]


async def test_what_was_off_before_it_was_declared_and_tried_again_is_not_off(world):
    world.apply("rollout-aks.yaml")
    world.revisions.pop("aks-v1")
    ask(world, "1", Verb.ABORT)
    written = walk(world)
    ask(world, "2", Verb.RETRY)
    world.edit("aks-v1", "r1")
    written += walk(world)

    assert (await told(written)).flagged_off == ()


async def test_of_two_records_the_later_counts(world):
    """That of the Rollout's own name is older than that of whoever moved its flag since."""
    world.apply("rollout-aks.yaml")
    own = walk(world)
    ask(world, "1", Verb.ABORT)
    own += walk(world)
    run = world.status.run_id
    ask(world, "2", Verb.RETRY)
    since = walk(world)

    assert (await told(own, [])).last_run == run
    assert (await told(own, since)).flagged_off == ()
    assert len((await told(since, own)).flagged_off) == 1


async def test_a_run_of_which_no_end_is_told_was_under_way(world):
    world.apply("rollout-aks.yaml")
    written = walk(world)
    begun = await told(written)
    assert begun.under_way is not None
    assert (begun.under_way.variant, begun.under_way.revision, begun.under_way.aborted) == ("aks-v1", "r1", True)

    def decided(run: str, phase: Phase) -> list:
        return [{"kind": "decision", "run": run, "phase": phase}]

    assert (await told(written + decided(begun.last_run, Phase.CANARY))).under_way == begun.under_way
    assert (await told(written + decided("another", Phase.STABLE))).under_way == begun.under_way
    for phase in (Phase.STABLE, Phase.ABORTED, Phase.FLAGGED_OFF):
        assert (await told(written + decided(begun.last_run, phase))).under_way is None


@pytest.mark.parametrize("line", [{}, {"kind": "off"}, {"kind": "off", "entry": 7}, {"kind": "run"}], ids=str)
async def test_a_line_that_says_nothing_keeps_nothing_off(line):
    assert await told([line]) == Past()


async def test_which_requests_were_carried_out_the_last_one_last(world):
    world.apply("rollout-aks.yaml")
    written = walk(world)
    for number, verb in (("1", Verb.ABORT), ("2", Verb.RETRY), ("3", Verb.UNDO), ("1", Verb.ABORT)):
        ask(world, number, verb)
        written += walk(world)

    assert (await told(written)).action_ids == ("2", "3", "1")
    assert [line["action"]["verb"] for line in written if line["kind"] == "asked"] == [
        "Abort",
        "Retry",
        "Undo",
        "Abort",
    ]


async def test_the_last_requests_are_told_and_no_line_that_holds_none():
    def line(number: str) -> dict:
        return {"kind": "asked", "action": {"id": number, "verb": "Abort"}}

    written = [*(line(str(number)) for number in range(100)), line("x" * 65), line(""), {"kind": "asked", "action": 7}]
    assert (await told(written)).action_ids == tuple(str(number) for number in range(36, 100))
