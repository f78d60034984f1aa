"""Writes a process's log: lines for people, or JSON for what collects logs.

Neither lets a stranger's control characters reach a terminal, or end a line.
"""

import json
import logging
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from pitwall_crds.host.printable import CONTROL, printable, printable_lines

VARIABLE: Final = "PITWALL_LOG_FORMAT"
JSON: Final = "json"


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
        return CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


class TextFormatter(logging.Formatter):
    """`time LEVEL logger words name=value …`; a traceback follows in lines of its own, indented."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        said = "".join(f" {name}={_word(value)}" for name, value in _fields(record).items())
        trouble = self.formatException(record.exc_info) if record.exc_info else ""
        words = f"{self.formatTime(record)} {record.levelname} {record.name} {printable(record.getMessage())}{said}"
        return words + "".join("\n  " + line for line in printable_lines(trouble).split("\n") if line)


def set_up(quieter: Mapping[str, int] | None = None) -> None:
    """Log from INFO on, to standard error, as PITWALL_LOG_FORMAT says; some loggers from a level of their own on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if os.environ.get(VARIABLE) == JSON else TextFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name, level in (quieter or {}).items():
        logging.getLogger(name).setLevel(level)


def _fields(record: logging.LogRecord) -> Mapping[str, object]:
    found: Mapping[str, object] = getattr(record, "fields", {})
    return found


def _word(value: object) -> str:
    text = printable(str(value))
    return json.dumps(text, ensure_ascii=False) if not text or re.search(r'[\s"=]', text) else text
