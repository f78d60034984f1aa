"""One object of rows that is not as it was written, or is no more, costs what it held, and nothing else."""

import pytest

from pitwall_runtime.stores.network.row_tiers import ObjectRows
from pitwall_runtime.stores.network.shared import Shared

obstore = pytest.importorskip("obstore")

ROWS = {0: b"a" * 50, 1: b"b" * 50}
OTHER_ROWS = {2: b"c" * 50}
PLACE = "video/pool/encoder"


@pytest.fixture
def store():
    return obstore.store.MemoryStore()


def objects(store) -> list[str]:
    return [one["path"] for batch in obstore.list(store) for one in batch]


def written(store, place=PLACE) -> str:
    """Where the rows are, beside another object."""
    ObjectRows(store).write(place, ROWS)
    [path] = objects(store)
    ObjectRows(store).write(place, OTHER_ROWS)
    return path


def content_of(store, path) -> bytes:
    return bytes(obstore.get(store, path).bytes())


@pytest.mark.parametrize("flipped", [0x01, 0x02, 0x10, 0x40, 0xFF])
def test_whatever_byte_of_its_head_is_bent_other_rows_are_read(store, flipped):
    path = written(store)
    whole = content_of(store, path)
    for place in range(whole.index(b"]]") + 2):
        bent = bytearray(whole)
        bent[place] ^= flipped
        obstore.put(store, path, bytes(bent))
        shared = Shared([ObjectRows(store)], store)

        found = next(shared.read_rows(PLACE, [0, 1, 2]))["s3"]
        assert found.items() <= (ROWS | OTHER_ROWS).items(), place
        assert found.items() >= OTHER_ROWS.items(), place


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\1\0", id="half a length"),
        pytest.param(b"\xff\xff\xff\xff[]", id="a length of gigabytes"),
        pytest.param(b"\4\0\0\0null", id="no list"),
        pytest.param(b"\5\0\0\0[[1]]", id="half an entry"),
        pytest.param(b"\x08\0\0\0[[1,-8]]", id="less than nothing"),
        pytest.param(b"\x0b\0\0\0[[1, 1e999]]", id="infinity"),
    ],
)
def test_what_is_no_object_of_rows_is_passed_over_and_replaced(store, content):
    path = written(store)
    obstore.put(store, path, content)
    rows = ObjectRows(store)
    assert rows.read(PLACE, [0, 1, 2]) == OTHER_ROWS

    rows.write(PLACE, ROWS)
    assert rows.read(PLACE, [0, 1, 2]) == ROWS | OTHER_ROWS
    assert ObjectRows(store).read(PLACE, [0, 1, 2]) == ROWS | OTHER_ROWS


def test_rows_of_an_object_that_was_deleted_are_none_and_the_others_are_read(store):
    path = written(store)
    shared = Shared([ObjectRows(store)], store)
    assert next(shared.read_rows(PLACE, [0, 1, 2])) == {"s3": ROWS | OTHER_ROWS}
    obstore.delete(store, path)

    assert next(shared.read_rows(PLACE, [0, 1, 2])) == {"s3": OTHER_ROWS}
