"""Published code is read by path, and only the functions that choose."""

import numpy as np
import pytest
from benchmarks.samplers.official import load


def test_only_the_named_function_is_run(tmp_path):
    file = tmp_path / "select_frames.py"
    file.write_text(
        "import there_is_no_such_module\n"
        "def inverse_transform_sampling(score, n, power=-1):\n    return np.argsort(-score)[:n]\n"
        "raise RuntimeError('main')\n"
    )

    assert load([f"bolt={file}"])["bolt, official"](np.array([0.1, 0.9, 0.5]), 2) == [1, 2]


@pytest.mark.parametrize("given", ["bolt", "bolt=none.py", "other=x.py"])
def test_what_cannot_be_read_is_told(given):
    with pytest.raises(SystemExit, match="--official"):
        load([given])


def test_another_version_is_told(tmp_path):
    file = tmp_path / "focus.py"
    file.write_text("class FOCUS: pass\n")

    with pytest.raises(SystemExit, match="another version"):
        load([f"focus={file}"])
