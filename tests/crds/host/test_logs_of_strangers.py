"""A log line is one line of what we say, whatever strangers make us say."""

import json
import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall_crds.host.logs import GARBAGE, JsonFormatter, Seldom, TextFormatter, fields
from pitwall_crds.host.printable import printable

HOSTILE = "ann\x1b[2J\r\n2026-01-01 00:00:00,000 INFO all is well\u202e\x9b31m\u2028"


def record(message, *arguments, error=None, **extra):
    made = logging.LogRecord("pitwall", logging.WARNING, __file__, 1, message, arguments, error)
    made.__dict__.update(fields(**extra))
    return made


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()], ids=["text", "json"])
def test_a_stranger_neither_ends_a_line_nor_reaches_a_terminal(formatter):
    line = formatter.format(record("user %s left", HOSTILE, session=HOSTILE))

    assert len(line.splitlines()) == 1
    assert all(character.isprintable() for character in line)


@given(st.text(max_size=200))
def test_whatever_is_said_is_one_line(text):
    for line in (
        TextFormatter().format(record("%s", text, x=text)),
        JsonFormatter().format(record("%s", text, x=text)),
    ):
        assert "\n" not in line
        assert "\x1b" not in line


def test_a_line_holds_its_fields():
    said = record("no answer", answer_id="ans-1", cause="did not answer", seconds=2.5)

    assert TextFormatter().format(said).endswith('pitwall no answer answer_id=ans-1 cause="did not answer" seconds=2.5')
    told = json.loads(JsonFormatter().format(said))
    assert (told["level"], told["logger"], told["message"]) == ("warning", "pitwall", "no answer")
    assert (told["answer_id"], told["cause"], told["seconds"]) == ("ans-1", "did not answer", 2.5)
    assert told["time"].endswith("Z")


def test_an_exception_of_a_strangers_words_cannot_pass_for_a_line_of_ours():
    try:
        int(HOSTILE)
    except ValueError:
        said = record("failed", error=sys.exc_info())

    head, *rest = TextFormatter().format(said).split("\n")
    assert head.endswith("pitwall failed")
    assert all(line.startswith("  ") for line in rest)
    assert "\x1b" not in "".join(rest)
    assert "ValueError" in json.loads(JsonFormatter().format(said))["exception"]


def test_what_is_printable_stays_as_it_is():
    assert printable("Grüße, 日本語 – “ok”") == "Grüße, 日本語 – “ok”"


def test_who_speaks_no_http_writes_one_line_a_minute_which_tells_how_many_there_were():
    now = [0.0]
    seldom = Seldom(GARBAGE, seconds=60, clock=lambda: now[0])

    def told(words: str) -> list[str]:
        line = record(words)
        return [line.getMessage()] if seldom.filter(line) else []

    first = [line for _ in range(1000) for line in told(GARBAGE)]
    others = told("the certificate cannot be read") * 2
    now[0] = 61
    later = [line for _ in range(10) for line in told(GARBAGE)]

    assert first == [GARBAGE]
    assert others == ["the certificate cannot be read"] * 2, "no other line is held back"
    assert later == [f"{GARBAGE} So were 999 more since the last such line."]
