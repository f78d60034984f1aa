"""Logs for people, and for what collects them."""

import json
import logging

from pitwall_crds.host.logs import JsonFormatter


def line(message: str, *values: object, **more: object) -> dict[str, object]:
    record = logging.LogRecord("pitwall_operator.cluster", logging.WARNING, "f.py", 1, message, values, None)
    vars(record).update(more)
    return json.loads(JsonFormatter().format(record))


def test_a_json_line_has_time_level_logger_and_message():
    said = line("the lease %s is held by %r\nbeside", "a/b", 'x"y')

    assert said.keys() == {"time", "level", "logger", "message"}
    assert said["level"] == "warning"
    assert said["logger"] == "pitwall_operator.cluster"
    assert said["message"] == "the lease a/b is held by 'x\"y'\nbeside"
    assert str(said["time"]).endswith("Z")


def test_a_traceback_is_part_of_its_line():
    error = ValueError("no such thing")
    said = line("broken", exc_info=(type(error), error, error.__traceback__))

    assert "ValueError: no such thing" in str(said["exception"])


def test_what_cannot_be_seen_is_escaped_in_a_line_and_comes_back_from_it():
    record = logging.LogRecord("pitwall", logging.WARNING, "f.py", 1, "a\u200bb\U000e0041\x9b", None, None)
    written = JsonFormatter().format(record)

    assert written.isprintable()
    assert json.loads(written)["message"] == "a\u200bb\U000e0041\x9b"
