"""What a stranger's text could do is spelled out, and nothing else is changed."""

import pytest

from pitwall_crds.host.printable import printable, printable_lines


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        pytest.param("\x1b[2J\x07", "\\x1b[2J\\x07", id="what a terminal obeys"),
        pytest.param("\x9b31m", "\\x9b31m", id="the same in one character"),
        pytest.param("a\r\nb\u2028", "a\\r\\nb\\u2028", id="line ends"),
        pytest.param("\u202egnp.exe", "\\u202egnp.exe", id="a change of direction"),
        pytest.param("Zürich 東京 🎬", "Zürich 東京 🎬", id="every other language"),
    ],
)
def test_control_characters_are_spelled_out(text, spelled):
    assert printable(text) == spelled


def test_of_several_lines_the_ends_stay():
    assert printable_lines("a\nb\r\x1b") == "a\nb\\r\\x1b"
