"""What a stranger's text could do is spelled out, and nothing else is changed."""

import sys
import unicodedata

import pytest

from pitwall_crds.host.printable import printable, printable_lines, shortened


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        pytest.param("\x1b[2J\x07", "\\x1b[2J\\x07", id="what a terminal obeys"),
        pytest.param("\x9b31m", "\\x9b31m", id="the same in one character"),
        pytest.param("a\r\nb\u2028", "a\\r\\nb\\u2028", id="line ends"),
        pytest.param("\u202egnp.exe", "\\u202egnp.exe", id="a change of direction"),
        pytest.param("\u200fa\u061cb\u2066c", "\\u200fa\\u061cb\\u2066c", id="marks of direction"),
        pytest.param("ad\u200bmin\ufeff\u2060", "ad\\u200bmin\\ufeff\\u2060", id="marks without width"),
        pytest.param("so\xadft", "so\\xadft", id="a hyphen that is not shown"),
        pytest.param("a\U000e0041\U000e007f", "a\\U000e0041\\U000e007f", id="tags, which spell a text of their own"),
        pytest.param("\ue000\U00100000", "\\ue000\\U00100000", id="for private use"),
        pytest.param("\ud83d", "\\ud83d", id="half a character"),
        pytest.param("\uffff\U000e0fff", "\\uffff\\U000e0fff", id="not assigned"),
        pytest.param("ad\u200dmin\u200c", "ad\\u200dmin\\u200c", id="a joiner that joins nothing"),
        pytest.param("東\u200c京 и\u200dя", "東\\u200c京 и\\u200dя", id="a joiner in a script that has no use for it"),
        pytest.param("\u200dम", "\\u200dम", id="a joiner at the beginning"),
        pytest.param("🎬\u200d\u200d🎬", "🎬\\u200d\\u200d🎬", id="two joiners"),
    ],
)
def test_what_cannot_be_seen_is_spelled_out(text, spelled):
    assert printable(text) == spelled


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Zürich 東京 🎬 Ünïcödé e\u0301", id="letters and pictures"),
        pytest.param("10\xa0s 全角\u3000空白", id="spaces of all kinds"),
        pytest.param("می\u200cخواهم", id="Persian"),
        pytest.param("श्री क्\u200dष क्\u200cष", id="Hindi"),
        pytest.param("র\u200d্যাব", id="Bengali"),
        pytest.param("👩\u200d🚀 👩🏽\u200d🚀 🏳️\u200d🌈 ❤️", id="pictures that are put together"),
    ],
)
def test_every_language_stays_as_it_is(text):
    assert printable(text) == text


def test_every_character_of_these_kinds_is_spelled_out():
    """All of Unicode, each character alone."""
    hidden = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
    every = [chr(number) for number in range(sys.maxunicode + 1)]
    told = {one for one in every if printable(one) != one}

    assert told == {one for one in every if unicodedata.category(one) in hidden}


def test_of_several_lines_the_ends_stay():
    assert printable_lines("a\nb\r\x1b") == "a\nb\\r\\x1b"


def test_what_is_left_out_is_seen_and_the_rest_is_as_long_as_it_may_be():
    assert shortened("12345", 5) == "12345"
    assert shortened("123456", 5) == "123 …"
    assert shortened("12 456", 5) == "12 …"
