"""Selections from plain arrays: the same as from the function itself; what is wrong with a file is said by its name."""

import json
import subprocess
import sys

import numpy as np
import pytest

from pitwall_runtime.plugins.sample import main
from pitwall_runtime.samplers.catalogue import bind, find
from pitwall_runtime.samplers.offline import offline_context

SCORES = np.random.default_rng(1).random(100).astype(np.float32)
ROWS = np.random.default_rng(2).normal(size=(100, 8)).astype(np.float32)


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """The command in a folder with files that are good, and some that are not."""
    monkeypatch.chdir(tmp_path)
    np.save("s.npy", SCORES)
    np.save("e.npy", ROWS * 3)
    np.save("t.npy", np.arange(100) * 2.0)
    np.save("short.npy", ROWS[:9])
    np.save("back.npy", np.arange(100)[::-1])
    np.save("words.npy", np.array(["a", "b"]))
    np.save("objects.npy", np.array([{}]), allow_pickle=True)
    np.save("none.npy", np.zeros(0))
    (tmp_path / "shots.json").write_text("[[0, 40], [40, 100]]")
    (tmp_path / "gap.json").write_text("[[0, 40], [50, 100]]")
    (tmp_path / "half.json").write_text("[[0, 40.5], [40, 100]]")
    (tmp_path / "words.json").write_text('["a", 3]')
    (tmp_path / "back.json").write_text("[0, 40, 40]")
    (tmp_path / "object.json").write_text('{"a": 1}')
    (tmp_path / "text.txt").write_text("hello")

    def command(*options, sampler="dpp"):
        status = main(["--scores", "s.npy", "--sampler", sampler, "--budget", "7", *options])
        out, err = capsys.readouterr()
        return status, json.loads(out) if out else None, err

    return command


def test_the_selection_is_the_functions_own(run):
    status, said, _ = run("--embeddings", "e.npy", "--parameter", "sharpness=2", "--times", "t.npy")
    unit = ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True)
    own = bind(find("dpp"), {"sharpness": 2}).choose(offline_context(SCORES, 7, embeddings=unit))

    assert status == 0
    assert said["indices"] == list(own.indices)
    assert said["ptsSeconds"] == [index * 2.0 for index in own.indices]
    assert (said["poolSize"], said["budget"], said["contract"]) == (100, 7, 1)


@pytest.mark.parametrize("text", ["[[0, 40], [40, 100]]", "[0, 40]"])
def test_shots_are_ranges_or_beginnings(run, text, tmp_path):
    (tmp_path / "shots.json").write_text(text)
    assert run("--shots", "shots.json", sampler="uniform")[0] == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--scores", "no.npy"), "no.npy is no .npy file"),
        (("--scores", "text.txt"), "text.txt is no .npy file"),
        (("--scores", "e.npy"), "e.npy has the shape (100, 8); give numbers with 1 dimension"),
        (("--scores", "words.npy"), "words.npy holds <U1, no integers or floats; give numbers"),
        (("--scores", "objects.npy"), "objects.npy is no .npy file"),
        (("--scores", "none.npy"), "none.npy has 0 scores; give 1 to 2000000"),
        (("--embeddings", "short.npy"), "short.npy has 9 rows for 100 scores"),
        (("--times", "back.npy"), "back.npy must hold 100 rising times"),
        (("--shots", "gap.json"), "gap.json: the shots must tile frames 0 to 100"),
        (("--shots", "text.txt"), "text.txt holds no shots"),
        (("--shots", "half.json"), "half.json: [0, 40.5] is no shot; give [[0, 40], [40, 95], …]"),
        (("--shots", "words.json"), "words.json: 'a' is no shot; give"),
        (("--shots", "back.json"), "back.json: the shots must tile frames 0 to 100"),
        (("--shots", "object.json"), "object.json holds no shots but {'a': 1}; give"),
        (("--parameter", "sharpness"), "'sharpness' must be NAME=VALUE"),
        (("--parameter", "sharpness=999"), "parameter sharpness = 999"),
        (("--sampler", "akz"), "unknown sampler 'akz'"),
    ],
)
def test_what_is_wrong_is_said_with_the_file_and_what_would_be_right(run, options, words):
    status, said, err = run(*options)

    assert (status, said) == (2, None)
    assert words in err
    assert err.count("\n") == 1


def test_times_keep_their_doubles(run):
    times = 1.7e9 + np.arange(100) * 0.04
    np.save("fine.npy", times)
    _, said, _ = run("--times", "fine.npy", sampler="uniform")

    assert said["ptsSeconds"] == [times[index] for index in said["indices"]]


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        ("mmr", "mmr compares embeddings; without --embeddings all frames count as alike"),
        ("air", "air asks a model, and there is none here"),
        ("key-frames", "key-frames looks at key-frames, which plain arrays do not have"),
    ],
)
def test_what_a_sampler_looks_at_and_is_not_given_is_said(run, sampler, words):
    status, said, err = run(sampler=sampler)

    assert (status, len(said["indices"])) == (0, 7)
    assert words in err


def test_nothing_is_said_where_nothing_is_missing(run):
    assert run("--embeddings", "e.npy", sampler="mmr")[2] == ""


ODD = """
import os
import numpy as np
from pitwall_runtime.media import Selection
from pitwall_runtime.samplers.contract import Sampler, Stability

os.write(1, b"libfoo 1.2\\n")

def made(name, select):
    return Sampler(name=name, select=select, parameters={}, contract=1, stability=Stability.ALPHA, summary="It is odd.")

OTHERS = made("others", lambda context, _: Selection(tuple(np.arange(context.budget))))
FLOATS = made("floats", lambda context, _: Selection(tuple(np.arange(context.budget) / 2)))
CURVE = made("curve", lambda context, _: Selection.of(range(context.budget), curve=np.zeros(3)))
"""


@pytest.mark.parametrize(
    ("attribute", "status", "words"),
    [
        ("OTHERS", 0, "libfoo"),
        ("FLOATS", 2, "pitwall sample: sampler 'floats' chose what is no selection: frames are a tuple of integers"),
        ("CURVE", 2, "pitwall sample: sampler 'curve' gave the diagnostic curve = array([0., 0., 0.]), which JSON"),
    ],
)
def test_a_wrong_selection_is_told_and_what_a_plug_in_prints_is_not_the_answer(tmp_path, attribute, status, words):
    (tmp_path / "odd.py").write_text(ODD)
    np.save(tmp_path / "s.npy", SCORES)
    command = ["-m", "pitwall_runtime", "sample", "--scores", "s.npy", "--budget", "3", "--sampler", f"odd:{attribute}"]
    done = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == status
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert (json.loads(done.stdout)["indices"] if done.stdout else None) == (None if status else [0, 1, 2])
