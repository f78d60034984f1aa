"""One child that runs the conformance suite, watched from outside: what it says, and how it ended."""

import json
import linecache
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from pitwall_runtime.plugins.suite.memory import resident
from pitwall_runtime.plugins.suite.rules import Clause, Finding, SuiteLimits
from pitwall_runtime.plugins.trial.child import STUCK_FACTOR

_MODULE: Final = "pitwall_runtime.plugins.trial.child"
_LOOK_SECONDS: Final = 0.05
_LAST_WORDS_SECONDS: Final = 2.0
"""What the child said before it ended is read; a process that it left behind may hold the pipe for longer."""
_STACK_SECONDS: Final = 0.2
_KILL_FACTOR: Final = 2
"""The child is ended at twice the memory that it may take, before the machine has none left."""
_BEFORE: Final = -1
"""The number of what comes before the first situation."""
_LIBRARY: Final = str(Path(threading.__file__).parent)
_FRAME: Final = re.compile(r'^[ \t]*File "(?P<path>[^"]+)", line (?P<line>\d+) in ', re.MULTILINE)


@dataclass(slots=True)
class SuiteProgress:
    """What the children have said so far."""

    refused: str = ""
    sampler: dict[str, Any] = field(default_factory=dict)
    begun: tuple[int, str] = (_BEFORE, "importing the module")
    tried: list[dict[str, Any]] = field(default_factory=list)
    again: dict[str, dict[str, Any]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    finished: bool = False

    @property
    def is_before(self) -> bool:
        """Whether no situation has begun."""
        return self.begun[0] == _BEFORE

    def hear(self, line: str) -> None:
        """Take in one line."""
        said = json.loads(line)
        if "refused" in said:
            self.refused = said["refused"]
        elif "sampler" in said:
            self.sampler, self.begun = said, (_BEFORE, "reading the declaration")
        elif "begins" in said:
            self.begun = (said["begins"], said["situation"])
        elif "again" in said:
            self.again[said["again"]] = said
        elif "tried" in said:
            self.tried.append(said)
            self.findings += [_finding(one) for one in said["findings"]]
        else:
            self.finished = said["finished"]


def _finding(data: dict[str, str]) -> Finding:
    return Finding(Clause(data["rule"]), data["situation"], data["message"], data["line"])


def run_child(name: str, limits: SuiteLimits, watch: SuiteProgress, *options: str) -> Finding | None:
    """One child to its end; how it ended, unless it said that it finished or refused."""
    reading, writing = os.pipe()
    command = [sys.executable, "-m", _MODULE, "--channel", str(writing), *options, *_said(limits), "--", name]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as words:
        child = subprocess.Popen(  # noqa: S603 – our own module
            command, stdin=subprocess.DEVNULL, stdout=words, stderr=words, pass_fds=(writing,)
        )
        os.close(writing)
        reader = threading.Thread(target=_listen, args=(open(reading, encoding="utf-8"), watch), daemon=True)  # noqa: SIM115
        reader.start()
        try:
            too_large = _outlast(child, limits)
        finally:
            child.kill()
        reader.join(_LAST_WORDS_SECONDS)
        if watch.finished or watch.refused:
            return None
        words.seek(0)
        return _death(child.returncode, words.read(), watch, limits, too_large)


def _said(limits: SuiteLimits) -> Iterator[str]:
    yield from ("--film-seconds", str(limits.film_seconds), "--ten-hours-seconds", str(limits.ten_hours_seconds))
    yield from ("--mebibytes", str(limits.mebibytes), "--import-seconds", str(limits.import_seconds))


def _listen(lines: IO[str], watch: SuiteProgress) -> None:
    with lines:
        for line in lines:
            watch.hear(line)


def _outlast(child: "subprocess.Popen[bytes]", limits: SuiteLimits) -> float:
    """Wait for its end; MiB by which it had grown if it had to be ended for that."""
    began = 0.0
    while child.poll() is None:
        now = resident(child.pid)
        began = began or now
        if now - began > _KILL_FACTOR * limits.mebibytes + 512:  # the interpreter and the ten-hour inputs come on top
            child.send_signal(signal.SIGUSR1)  # it writes down where it is
            time.sleep(_STACK_SECONDS)
            child.kill()
            child.wait()
            return now - began
        time.sleep(_LOOK_SECONDS)
    return 0.0


def _death(status: int, words: str, watch: SuiteProgress, limits: SuiteLimits, too_large: float) -> Finding:
    """What a child that did not finish says of the sampler: it grew, hung, or ended the process."""
    where, line = watch.begun[1], _line(words, watch.sampler.get("home", ""))
    if too_large:
        return Finding(Clause.MEMORY, where, f"{too_large:.0f} MiB, so the process was ended", line)
    lines = [one.strip() for one in words.splitlines() if one.strip()]
    if any(one.startswith("Timeout (") for one in lines):
        if watch.is_before:
            return Finding(Clause.IN_TIME, where, f"it had not ended after {limits.import_seconds:g} s", line)
        message = f"it kept the interpreter to itself for {STUCK_FACTOR * limits.ten_hours_seconds:g} s"
        return Finding(Clause.IN_TIME, where, message, line)
    if status < 0:
        message = f"it ended the whole process by the signal {_name(-status)}"
        return Finding(Clause.ENDS, where, message, line)
    said = f": {lines[-1]}" if lines and status else ""
    return Finding(Clause.ENDS, where, f"it ended the whole process with status {status}{said}"[:500])


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _line(words: str, home: str) -> str:
    """The sampler's own last line in the last stacks that the child wrote down: `folder/file.py:line: code`."""
    frames = [(one["path"], int(one["line"])) for one in _FRAME.finditer(words)]
    foreign = (_LIBRARY, "<frozen", "pitwall_runtime")
    own = [one for one in frames if home and one[0].startswith(home)]
    own = own or [one for one in frames if not any(part in one[0] for part in foreign)]
    if not own:
        return ""
    path, number = own[0]
    place = Path(path)
    return f"{place.parent.name}/{place.name}:{number}: `{linecache.getline(path, number).strip()}`"
