"""A fragment that is missing is known by the numbers of its neighbours."""

import struct

import pytest

from pitwall_runtime.decode.libav.fragments import Fragments


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
