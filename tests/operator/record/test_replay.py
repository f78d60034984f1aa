"""Records that somebody damaged are refused in a sentence, never with a traceback and never as agreement."""

import copy
import json

import pytest

from pitwall_operator.evidence.basis.counts import Abandoned, Counts, EdgeTallies, Pairs, Tally
from pitwall_operator.evidence.basis.spread import ArmsSpread, UserSpread
from pitwall_operator.record.lines import RecordFile, _counted, evidence_lines
from pitwall_operator.record.plot import draw
from pitwall_operator.record.replay import _counts, missing, replay
from pitwall_operator.values.errors import UnreadableRecordError


def blocks(lines: list[dict]) -> list[dict]:
    return [line for line in lines if line["kind"] == "block"]


def weighed(lines: list[dict]) -> list[dict]:
    return [line for line in blocks(lines) if line["counts"]]


@pytest.fixture
def record(world) -> list[dict]:
    """A run's head and its first blocks, up to the second that was weighed: those of the warm-up are not."""
    world.apply("rollout-aks.yaml")
    written: list[dict] = []
    while len(weighed(written)) < 2:
        world.good_block()
        before = world.rollout
        written += evidence_lines(before, world.turn())
    return json.loads(json.dumps(written))


def without_counts(lines):
    del blocks(lines)[0]["counts"]


def without_a_gates_verdict(lines):
    del next(iter(blocks(lines)[0]["gates"].values()))["verdict"]


def without_a_gate(lines):
    blocks(lines)[0]["gates"].popitem()


def with_a_strange_stage(lines):
    blocks(lines)[0]["stage"]["kind"] = "blue-green"


def with_rules_that_are_none(lines):
    lines[0]["analysis"] = {"gates": []}


def with_counts_of_an_unknown_gate(lines):
    counts = weighed(lines)[0]["counts"]
    counts["vibes"] = next(iter(counts.values()))


def with_a_tally_of_words(lines):
    next(iter(weighed(lines)[0]["counts"].values()))["pairs"] = "many"


def with_more_trials_than_a_number_holds(lines):
    next(iter(weighed(lines)[0]["counts"].values()))["pairs"] = {"total": 10**400, "worse": 10**399, "better": 0}


def with_a_list_of_counts(lines):
    weighed(lines)[0]["counts"] = list(weighed(lines)[0]["counts"].values())


def with_counts_that_are_words(lines):
    counts = weighed(lines)[0]["counts"]
    counts[next(iter(counts))] = "many"


def with_gates_by_number(lines):
    blocks(lines)[0]["gates"] = list(blocks(lines)[0]["gates"].values())


def with_a_gate_of_words(lines):
    gates = blocks(lines)[0]["gates"]
    gates[next(iter(gates))] = "Harmful"


def with_a_line_of_words(lines):
    lines[1] = "a block"


@pytest.mark.parametrize(
    "damage",
    [
        without_counts, without_a_gates_verdict, without_a_gate, with_a_strange_stage, with_rules_that_are_none,
        with_counts_of_an_unknown_gate, with_a_tally_of_words, with_more_trials_than_a_number_holds,
        with_a_list_of_counts, with_counts_that_are_words, with_gates_by_number, with_a_gate_of_words,
        with_a_line_of_words,
    ],
)  # fmt: skip
def test_a_damaged_record_is_refused_in_a_sentence(record, damage):
    damage(record)

    with pytest.raises(UnreadableRecordError, match=r"a line lacks|a line was changed"):
        [words for block in replay(record) for words in block.disagreements()]


def another(record):
    """The same again, as another run."""
    second = copy.deepcopy(record)
    for line in second:
        line["run"] = "another"
    return second


@pytest.mark.parametrize(
    ("place", "kept", "words"),
    [
        pytest.param(0, 0, "its head is missing, so {all} of its blocks", id="the head"),
        pytest.param(1, 0, "between its head and", id="the first block"),
        pytest.param(2, 1, "the blocks between", id="a block in the middle"),
    ],
)
def test_what_a_lost_database_took_is_told_and_the_rest_is_judged(record, place, kept, words):
    left = [*record[:place], *record[place + 1 :], *another(record)]
    found = list(replay(left))
    [told] = missing(left)

    assert told.startswith(f"run {record[0]['run']}: ")
    assert words.format(all=len(blocks(record))) in told
    runs = [block.run for block in found]
    assert (runs.count(record[0]["run"]), runs.count("another")) == (kept, len(blocks(record)))
    assert [words for block in found for words in block.disagreements()] == []


def test_two_runs_of_one_id_are_told_apart(record):
    """An older version gave a Rollout that was made anew its first run's id again."""
    found = list(replay([*record, *copy.deepcopy(record)]))

    assert len(found) == 2 * len(blocks(record))
    assert [words for block in found for words in block.disagreements()] == []
    assert missing([*record, *record]) == ()


def test_a_record_of_two_runs_is_replayed_run_by_run(record):
    second = another(record)
    found = list(replay([*record, *second]))

    assert [block.run for block in found] == [run for run in (record[0]["run"], "another") for _ in blocks(record)]
    assert [words for block in found for words in block.disagreements()] == []


def test_runs_whose_lines_are_mixed_are_told_apart(record):
    second = another(record)
    mixed = [line for pair in zip(record, second, strict=True) for line in pair]

    assert [words for block in replay(mixed) for words in block.disagreements()] == []


def test_lines_of_decisions_are_passed_over(record):
    decision = {"kind": "decision", "run": record[0]["run"], "effects": []}

    assert len(list(replay([decision, *record, decision]))) == len(blocks(record))


@pytest.mark.parametrize(
    "lines", [[], [{"kind": "decision"}], [{}]], ids=["nothing", "decisions alone", "an empty line"]
)
def test_a_record_without_blocks_has_nothing_to_replay_and_nothing_to_draw(lines, tmp_path):
    assert list(replay(lines)) == []
    with pytest.raises(UnreadableRecordError, match="holds no block yet; wait until a candidate has been measured"):
        draw(lines, tmp_path / "evidence.png")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        pytest.param("verdict", "Harmful", "recorded Harmful, recomputed", id="a verdict"),
        pytest.param("logE", "99.5", "log e 99.5, recomputed", id="a number"),
        pytest.param("name", "vibes", "recorded vibes log e", id="a process that there is not"),
    ],
)
def test_what_was_changed_afterwards_is_told_with_its_block_and_gate(record, field, value, words):
    last = blocks(record)[-1]
    gate = next(gate for gate in last["gates"].values() if gate["evidence"])
    target = gate if field == "verdict" else gate["evidence"][0]
    target[field] = value
    told = [one for block in replay(record) for one in block.disagreements()]

    assert len(told) == 1
    assert told[0].startswith(last["time"])
    assert words in told[0]


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_a_run_of_few_blocks_is_drawn_in_every_format(record, tmp_path, suffix):
    draw(record, tmp_path / f"evidence.{suffix}")

    assert (tmp_path / f"evidence.{suffix}").stat().st_size > 1000


def test_a_run_of_one_block_is_drawn_too(record, tmp_path):
    draw(record[: record.index(blocks(record)[0]) + 1], tmp_path / "evidence.svg")

    assert "seconds since the first block" in (tmp_path / "evidence.svg").read_text()


@pytest.mark.parametrize(
    ("content", "kinds"),
    [
        pytest.param(b'{"kind": "run"}\n{"kind": "blo', ["run"], id="a line cut short"),
        pytest.param(
            b'{"kind": "run"}\n\x00\x00\x00\n{"kind": "block"}\n', ["run", "block"], id="zeros after a power cut"
        ),
        pytest.param(b'{"kind": "run"}\n\xff\xfe\n{"kind": "block"}\n', ["run", "block"], id="bytes that are no text"),
        pytest.param(b'{"kind": "run"}\n42\nnull\n[1]\n"x"\n', ["run"], id="JSON that is no line of ours"),
        pytest.param(b"\n\n\n", [], id="blank lines"),
        pytest.param(b"", [], id="an empty file"),
    ],
)
def test_only_whole_lines_are_read(tmp_path, content, kinds):
    path = tmp_path / "r.jsonl"
    path.write_bytes(content)

    assert [line["kind"] for line in RecordFile(path).read()] == kinds


def test_appending_to_a_torn_file_keeps_what_was_whole(tmp_path):
    record = RecordFile(tmp_path / "deep" / "r.jsonl")
    record.append([])
    assert not record.path.exists(), "nothing to say makes no file"
    record.append([{"n": 1}])
    record.path.write_bytes(record.path.read_bytes() + b'{"n": 2')
    record.append([{"n": 3}, {"n": 4}])

    assert [line["n"] for line in record.read()] == [1, 3, 4]


def test_a_block_is_read_with_all_that_it_counted():
    arms = EdgeTallies(Tally(9, 4, 0.5), Tally(8, 3, 0.25), Tally(7, 2))
    counts = Counts(
        Tally(5, 1),
        Tally(6, 2),
        Pairs(3, 1, 1),
        Tally(50, 9),
        Tally(4, 2),
        True,
        (arms, arms),
        (ArmsSpread(UserSpread(9, 0.25, 1.5, 8.0), UserSpread(8, 0.2, 1.0, 7.0)),),
        Abandoned(1, 2, 3, 1),
        arms,
    )

    assert _counts(json.loads(json.dumps(_counted(counts)))) == counts
