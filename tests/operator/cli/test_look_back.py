"""`replay` and `plot` on records whole, changed and damaged."""

import json

import pytest

from pitwall_operator.record.lines import evidence_lines


@pytest.fixture
def record(world, tmp_path):
    """A file with a run's head and three blocks."""
    world.apply("rollout-aks.yaml")
    written: list[dict] = []
    while sum(line["kind"] == "block" for line in written) < 3:
        world.good_block()
        before = world.rollout
        written += evidence_lines(before, world.turn())
    path = tmp_path / "r.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in written))
    return path


def test_a_whole_record_agrees(say, record):
    said, data = say("replay", record), say("replay", record, "-o", "json")

    assert (said.code, data.code) == (0, 0)
    assert "verdicts in 3 blocks recomputed, 0 differ" in said.out
    assert json.loads(data.out)["differences"] == []


def test_a_changed_verdict_is_told_and_ends_with_1(say, record):
    record.write_text(record.read_text().replace('"verdict": "Unmeasured"', '"verdict": "Harmful"'))
    said = say("replay", record)

    assert said.code == 1
    assert "recorded Harmful, recomputed Unmeasured" in said.out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(lambda text: "", "holds no block", id="an empty file"),
        pytest.param(lambda text: "hello\n42\nnull\n", "holds no block", id="another file"),
        pytest.param(lambda text: text.partition("\n")[2], "head is missing", id="no head"),
        pytest.param(lambda text: text.replace('"counts"', '"count"'), "lacks 'counts'", id="another spelling"),
        pytest.param(lambda text: text.replace('"verdict"', '"word"'), "lacks 'verdict'", id="no verdicts"),
        pytest.param(lambda text: text.replace('"shadow"', '"blue"'), "cannot be read", id="an unknown stage"),
    ],
)
def test_a_damaged_record_is_a_sentence(say, record, change, words):
    record.write_text(change(record.read_text()))
    said = say("replay", record)

    assert said.code == 2
    assert f"{record.name}" in said.err
    assert words in said.err


def test_a_record_that_is_no_text_is_a_sentence(say, record):
    record.write_bytes(b"\xff\xfe\x00" * 100)

    assert say("replay", record).code == say("plot", record).code == 2


def test_a_picture_is_written_where_it_was_asked_for(say, record, tmp_path):
    said = say("plot", record, "-o", tmp_path / "e.svg")

    assert (said.code, said.out.strip()) == (0, f"wrote {tmp_path / 'e.svg'}")
    assert (tmp_path / "e.svg").read_text().startswith("<?xml")


def test_a_picture_that_cannot_be_written_is_a_sentence(say, record):
    said = say("plot", record, "-o", "/no/such/folder/e.png")

    assert said.code == 1
    assert "FileNotFoundError" in said.err
