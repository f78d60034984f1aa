"""Writes a process's log: lines for people, or JSON for what collects logs."""

import json
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

VARIABLE: Final = "PITWALL_LOG_FORMAT"
JSON: Final = "json"
TEXT: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"


class JsonFormatter(logging.Formatter):
    """One object a line: time (RFC 3339), level, logger, message, and a traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        said: dict[str, object] = {
            "time": time, "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage(),
        }  # fmt: skip
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False)


def set_up(quieter: Mapping[str, int] | None = None) -> None:
    """Log from INFO on, to standard error, as PITWALL_LOG_FORMAT says; some loggers from a level of their own on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if os.environ.get(VARIABLE) == JSON else logging.Formatter(TEXT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name, level in (quieter or {}).items():
        logging.getLogger(name).setLevel(level)
