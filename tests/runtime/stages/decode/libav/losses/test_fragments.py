"""A fragment that is missing is known by the numbers of its neighbours."""

import struct

import pytest

from pitwall_runtime.stages.decode.libav.losses.fragments import Fragments


def fragment(number, *, large=False):
    """Of 124 bytes: its head with the number, and pictures."""
    head = struct.pack(">I4sI4sII", 24, b"moof", 16, b"mfhd", 0, number)
    return head + (struct.pack(">I4sQ", 1, b"mdat", 100) if large else struct.pack(">I4s", 100, b"mdat")).ljust(100)


@pytest.mark.parametrize(
    ("numbers", "missing"),
    [
        pytest.param([1, 2, 3, 4], False, id="none"),
        pytest.param([1, 2, 4, 5], True, id="one"),
        pytest.param([7, 90], True, id="many of a live stream"),
        pytest.param([0, 0, 0, 0], False, id="not numbered"),
        pytest.param([8, 9, 1, 2], False, id="a stream that began anew"),
    ],
)
@pytest.mark.parametrize("large", [False, True])
def test_numbers_tell_what_is_missing(tmp_path, numbers, missing, large):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"\0\0\0\x10ftypiso5\0\0\0\0" + b"".join(fragment(number, large=large) for number in numbers))
    assert Fragments(str(path)).missing_between(16 + 50, 16 + 124 * (len(numbers) - 1) + 50) is missing


@pytest.mark.parametrize("content", [b"", b"\0\0\0", b"\0\0\0\0mdat" + bytes(100), b"\0\0\0\x02free" + bytes(100)])
def test_what_is_no_chain_of_boxes_tells_nothing(tmp_path, content):
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    assert not Fragments(str(path)).missing_between(0, len(content))


@pytest.mark.parametrize(
    ("numbers", "missing"),
    [
        pytest.param([1, 3, 5, 7], False, id="none"),
        pytest.param([1, 3, 5, 9], True, id="one"),
    ],
)
def test_a_packager_may_number_the_fragments_of_two_files_jointly(tmp_path, numbers, missing):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"".join(map(fragment, numbers)))
    assert Fragments(str(path)).missing_between(124 * 2 + 50, 124 * 3 + 50) is missing


def test_where_times_jump_at_each_fragment_each_second_one_is_missing(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"".join(map(fragment, [1, 3, 5, 7])))
    fragments = Fragments(str(path))
    assert [fragments.missing_between(124 * at + 50, 124 * at + 174) for at in range(3)] == [True] * 3


@pytest.mark.parametrize("size", [2**63 - 8, 2**63, 2**64 - 1])
def test_a_box_that_claims_to_be_longer_than_the_file_ends_it(tmp_path, size):
    path = tmp_path / "film.mp4"
    path.write_bytes(fragment(1) + fragment(3) + struct.pack(">I4sQ", 1, b"free", size))
    assert Fragments(str(path)).missing_between(50, 174)
