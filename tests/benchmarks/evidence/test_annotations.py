"""Annotation files: the names that benchmarks use, and rows that cannot be used."""

import json

import numpy as np
import pytest
from benchmarks.evidence.annotations import read


def written(folder, *rows, as_list=False):
    np.save(folder / "s.npy", np.linspace(0, 1, 30))
    np.save(folder / "e.npy", np.eye(30))
    np.save(folder / "t.npy", np.arange(30) * 2.0)
    file = folder / "questions.json"
    file.write_text(json.dumps(rows) if as_list else "\n".join(json.dumps(row) for row in rows))
    return file


@pytest.mark.parametrize("as_list", [True, False])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("moments", [[9, 10], [1.5, 3]]),
        ("clue_intervals", [[1.5, 3], [9, 10]]),
        ("relevant_windows", [[1.5, 3], [9, 10]]),
    ],
)
def test_moments_under_any_of_their_names_in_time_order(tmp_path, as_list, key, value):
    (case,) = read(written(tmp_path, {"id": "q", "scores": "s.npy", key: value}, as_list=as_list))

    assert case.evidence == ((1.5, 3.0), (9.0, 10.0))
    assert case.seconds.tolist() == list(range(30))
    assert (case.name, case.embeddings, case.length) == ("q", None, "≤ 10 min")


def test_a_single_pair_times_and_embeddings(tmp_path):
    row = {"scores": "s.npy", "embeddings": "e.npy", "pts_seconds": "t.npy", "timestamps": [40, 59]}
    (case,) = read(written(tmp_path, row))

    assert case.evidence == ((40.0, 59.0),)
    assert case.embeddings.shape == (30, 30)
    assert case.seconds[-1] == 58
    assert case.context(4, 0).budget == 4


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"scores": "s.npy"}, "row 1: no moments under any of moments, clue_intervals"),
        ({"moments": [[1, 2]]}, "row 1: 'scores'"),
        ({"scores": "none.npy", "moments": [[1, 2]]}, "No such file"),
        ({"scores": "s.npy", "moments": [[5, 2]]}, "moment [5.0, 2.0) is none of a video of 30 s"),
        ({"scores": "s.npy", "moments": [[40, 50]]}, "moment [40.0, 50.0) is none of a video of 30 s"),
        ({"scores": "s.npy", "moments": [["a", "b"]]}, "could not convert string"),
        ({"scores": "s.npy", "pts_seconds": "s.npy", "embeddings": "e.npy", "moments": 5}, "row 1"),
        ([1, 2], "row 1"),
    ],
)
def test_a_row_that_cannot_be_used_is_told(tmp_path, row, words):
    with pytest.raises(SystemExit, match=r"questions\.json") as refusal:
        list(read(written(tmp_path, row)))
    assert words in str(refusal.value)


def test_what_is_no_json(tmp_path):
    file = tmp_path / "x.json"
    file.write_text("[{")

    with pytest.raises(SystemExit, match="no JSON"):
        list(read(file))
