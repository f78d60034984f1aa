"""What a run takes of the process's memory, and at which line; Linux tells, other systems do not."""

import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from pitwall_runtime.samplers.containment import own_line

T = TypeVar("T")
_LOOK_SECONDS: Final = 0.001


def measured(run: Callable[[], T]) -> tuple[T, float | None]:
    """Its result, and by how many MiB the process grew at most; None where the system does not say."""
    before = resident() if _forget_peak() else 0.0
    result = run()
    return result, max(0.0, resident(field="VmHWM") - before) if before else None


def growing_line(select: Any, run: Callable[[], object]) -> str:
    """Where the sampler was when the process was largest, seen by running it once more."""
    over, most, line = threading.Event(), resident(), ""

    def look() -> None:
        nonlocal most, line
        while not over.wait(_LOOK_SECONDS):
            now, stack = resident(), _stack()
            if now > most + 1 and stack:
                most, line = now, own_line(select, stack)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        run()
    finally:
        over.set()
        watcher.join()
    return line


def _stack() -> list[traceback.FrameSummary]:
    """Of the newest thread in which a sampler runs."""
    newest = [one for one in threading.enumerate() if one.name == "sampler"][-1:]
    frame = sys._current_frames().get(newest[0].ident or 0) if newest else None
    return list(traceback.extract_stack(frame)) if frame else []


def _forget_peak() -> bool:
    """Linux: the peak of the resident memory is counted from now on."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def resident(process: int | str = "self", field: str = "VmRSS") -> float:
    """MiB, from the process's own status; 0 where the system does not say."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:")), 0.0)
