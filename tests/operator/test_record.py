"""The append-only record."""

import itertools
import json

from pitwall_operator.record import Record, lines


def test_a_line_cut_short_by_a_crash_is_passed_over_and_does_not_spoil_the_next(tmp_path):
    record = Record(tmp_path / "r.jsonl")
    record.append([{"kind": "run"}])
    with record.path.open("a") as file:
        file.write('{"kind": "blo')
    record.append([{"kind": "block"}])

    assert [line["kind"] for line in record.read()] == ["run", "block"]


def test_reading_what_was_never_written_gives_nothing(tmp_path):
    assert list(Record(tmp_path / "none.jsonl").read()) == []


def test_a_run_leaves_its_head_its_blocks_and_its_decisions(world):
    world.apply("rollout-aks.yaml")
    written = []
    while world.status.stable_variant != "aks-v1":
        world.good_block()
        before = world.rollout
        decision = world.turn()
        written += lines(before, decision, (), world.now)

    kinds = [line["kind"] for line in written]
    assert kinds.count("run") == 1
    assert kinds.count("block") > 3
    assert json.loads(json.dumps(written)) == written
    blocks = [line for line in written if line["kind"] == "block"]
    assert all(later["after"] == earlier["time"] for earlier, later in itertools.pairwise(blocks))


def test_a_quiet_turn_leaves_nothing(world):
    before = world.rollout
    decision = world.turn()

    assert list(lines(before, decision, (), world.now)) == []
