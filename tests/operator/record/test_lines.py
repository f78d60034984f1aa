"""The append-only record."""

import itertools
import json
import os
import random

import pytest

from pitwall_crds.errors import UnreadableFileError
from pitwall_operator.record.lines import RecordFile, evidence_lines
from pitwall_operator.record.plot import draw
from pitwall_operator.record.replay import replay


def test_a_line_cut_short_by_a_crash_is_passed_over_and_does_not_spoil_the_next(tmp_path):
    record = RecordFile(tmp_path / "r.jsonl")
    record.append([{"kind": "run"}])
    with record.path.open("a") as file:
        file.write('{"kind": "blo')
    record.append([{"kind": "block"}])

    assert [line["kind"] for line in record.read()] == ["run", "block"]


@pytest.mark.parametrize("text", ["9" * 9999, "[" * 99_999], ids=["digits", "brackets"])
def test_a_line_that_no_reader_can_take_is_passed_over(tmp_path, text):
    record = RecordFile(tmp_path / "r.jsonl")
    record.path.write_text(f'{text}\n{{"kind": "run"}}\n')

    assert list(record.read()) == [{"kind": "run"}]


def test_a_pipe_in_a_records_place_is_named_and_holds_nobody_up(tmp_path):
    os.mkfifo(tmp_path / "r.jsonl")

    with pytest.raises(UnreadableFileError, match=r"r.jsonl is a pipe"):
        RecordFile(tmp_path / "r.jsonl").append([{"kind": "run"}])


def test_reading_what_was_never_written_gives_nothing(tmp_path):
    assert list(RecordFile(tmp_path / "none.jsonl").read()) == []


def test_a_run_leaves_its_head_and_its_blocks(world):
    written = run_through(world)

    kinds = [line["kind"] for line in written]
    assert kinds.count("run") == 1
    assert kinds.count("block") > 3
    blocks = [line for line in written if line["kind"] == "block"]
    assert all(later["after"] == earlier["time"] for earlier, later in itertools.pairwise(blocks))


def test_a_quiet_turn_leaves_nothing(world):
    before = world.rollout
    decision = world.turn()

    assert list(evidence_lines(before, decision)) == []
    assert decision.effects == ()


def run_through(world) -> list:
    """Every line that a promoted candidate leaves."""
    world.apply("rollout-aks.yaml")
    written = []
    while world.status.stable_variant != "aks-v1":
        world.good_block()
        before = world.rollout
        decision = world.turn()
        written += evidence_lines(before, decision)
    assert json.loads(json.dumps(written)) == written
    return written


def saw_pairs(line) -> bool:
    """A block that weighed shadow pairs of the errors gate; blocks during its warm-up do not."""
    return line["kind"] == "block" and line["counts"].get("errors", {}).get("pairs", {}).get("total", 0) > 0


def test_replay_agrees_with_every_recorded_verdict_to_the_last_digit(world):
    blocks = list(replay(run_through(world)))

    assert len(blocks) > 3
    assert [words for block in blocks for words in block.disagreements()] == []


def test_replay_finds_a_count_that_was_changed_afterwards(world):
    written = run_through(world)
    block = next(line for line in written if saw_pairs(line))
    block["counts"]["errors"]["pairs"]["worse"] += 1

    assert any("errors" in words for block in replay(written) for words in block.disagreements())


def test_of_two_blocks_after_the_same_one_the_later_holds(world):
    """A crash between effects and status leaves a block behind whose counts come again in the next one."""
    written = run_through(world)
    index = next(i for i, line in enumerate(written) if saw_pairs(line))
    orphan = json.loads(json.dumps(written[index]))
    orphan["counts"]["errors"]["pairs"]["total"] += 7

    blocks = list(replay([*written[:index], orphan, *written[index:]]))

    assert [words for block in blocks for words in block.disagreements()] == []


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 6))])
def test_a_record_with_crashes_between_any_block_and_its_status_is_whole(world, seed):
    chance = random.Random(seed)
    world.apply("rollout-aks.yaml")
    written = []
    while world.status.stable_variant != "aks-v1":
        world.good_block()
        written += world.turn_or_crash(chance, 0.3)

    blocks = list(replay(json.loads(json.dumps(written))))
    assert len({block.run for block in blocks}) == 1
    assert [words for block in blocks for words in block.disagreements()] == []


def test_the_evidence_is_drawn(world, tmp_path):
    draw(run_through(world), tmp_path / "evidence.png")

    assert (tmp_path / "evidence.png").read_bytes().startswith(b"\x89PNG")
