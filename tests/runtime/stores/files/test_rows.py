"""What is written to rows is read from them, in any order, and damage is told."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall_runtime.stores.files.rows import RowFile


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "rows.npy"
    RowFile.create(path, (50, 3), np.float32)
    return RowFile.opened(path)


@given(
    st.lists(st.integers(0, 49), unique=True, max_size=50),
    st.lists(st.integers(0, 49), max_size=60),
    st.integers(0, 1 << 20),
)
def test_rows_are_read_as_they_were_written(rows, written, asked, seed):
    before = rows.read(range(50))
    values = np.random.default_rng(seed).normal(size=(len(written), 3)).astype(np.float32)
    rows.write(written, values)
    before[written] = values
    assert np.array_equal(rows.read(asked), before[asked])
    assert np.array_equal(np.load(rows.path), before), "NumPy itself reads the file"


@pytest.mark.parametrize("row", [-1, 50])
def test_a_row_outside_is_an_error(rows, row):
    with pytest.raises(IndexError, match=f"row {row} of 50"):
        rows.read([row])


def test_rows_that_nobody_wrote_take_no_room(tmp_path):
    RowFile.create(tmp_path / "sparse.npy", (100_000, 1000), np.float32)
    assert (tmp_path / "sparse.npy").stat().st_size > 400_000_000
    assert (tmp_path / "sparse.npy").stat().st_blocks * 512 < 100_000


def test_objects_are_not_unpickled(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="plain numbers"):
        RowFile.opened(tmp_path / "objects.npy")
