"""Writes a process's log: lines for people, or JSON for what collects logs.

Neither lets a stranger's control characters reach a terminal, or end a line.
"""

import json
import logging
import os
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from pitwall_crds.host.printable import printable, printable_lines, spelled_out

VARIABLE: Final = "PITWALL_LOG_FORMAT"
JSON: Final = "json"
GARBAGE: Final = "Invalid HTTP request received."
"""What uvicorn says of whoever connects and speaks no HTTP."""


def fields(**values: object) -> dict[str, Mapping[str, object]]:
    """What a log line says beside its words, for `extra`: `log.warning("no answer", extra=fields(answer_id=…))`."""
    return {"fields": values}


class JsonFormatter(logging.Formatter):
    """One object a line: time (RFC 3339), level, logger, message, fields, and a traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        said: dict[str, object] = {
            "time": time, "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage(),
            **_fields(record),
        }  # fmt: skip
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        line = json.dumps(said, ensure_ascii=False, default=str)
        return spelled_out(line, lambda one: json.dumps(one)[1:-1])


class TextFormatter(logging.Formatter):
    """`time LEVEL logger words name=value …`; a traceback follows in lines of its own, indented."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        said = "".join(f" {name}={_word(value)}" for name, value in _fields(record).items())
        trouble = self.formatException(record.exc_info) if record.exc_info else ""
        words = f"{self.formatTime(record)} {record.levelname} {record.name} {printable(record.getMessage())}{said}"
        return words + "".join("\n  " + line for line in printable_lines(trouble).split("\n") if line)


class Seldom(logging.Filter):
    """Lets one line pass in so many seconds, which tells how many there were since the last: a stranger writes no log
    of ours as long as he likes."""

    def __init__(self, line: str, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._line, self._seconds, self._clock = line, seconds, clock
        self._passed_at, self._held = float("-inf"), 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line passes."""
        if record.msg != self._line:
            return True
        if self._clock() - self._passed_at < self._seconds:
            self._held += 1
            return False
        if self._held:
            record.msg = f"{self._line} So were {self._held} more since the last such line."
        self._passed_at, self._held = self._clock(), 0
        return True


def set_up(quieter: Mapping[str, int] | None = None) -> None:
    """Log from INFO on, to standard error, as PITWALL_LOG_FORMAT says; some loggers from a level of their own on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if os.environ.get(VARIABLE) == JSON else TextFormatter())
    handler.addFilter(Seldom(GARBAGE))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name, level in (quieter or {}).items():
        logging.getLogger(name).setLevel(level)


def _fields(record: logging.LogRecord) -> Mapping[str, object]:
    found: Mapping[str, object] = getattr(record, "fields", {})
    return found


def _word(value: object) -> str:
    text = printable(str(value))
    return json.dumps(text, ensure_ascii=False) if not text or re.search(r'[\s"=]', text) else text
