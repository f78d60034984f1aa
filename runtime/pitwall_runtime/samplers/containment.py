"""Imports and runs a sampler so that whatever it does wrong becomes a failure with the line where it happened.

Python cannot end a thread. A plain sampler that hangs is left behind in its own, and counted, so that whoever serves
may end the process before it is full of them; an `async` one is cancelled.
"""

import asyncio
import inspect
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pitwall_runtime.errors import SamplerFailedError, SamplerHangsError, WrongSelectionError
from pitwall_runtime.media import SelectionError
from pitwall_runtime.samplers.contract import Sampler, SamplerContext

GRACE_MILLISECONDS = 2000.0
"""A sampler that watches its allowance ends by itself; one that does not is cut off so much later."""

_LOOK_SECONDS = 0.5

T = TypeVar("T")


class Guard:
    """Runs one sampler's choices, each in a thread of its own, and knows how many of them hang."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self._lock = threading.Lock()
        self.hanging = 0

    def run(self, context: SamplerContext, parameters: Any) -> object:
        """What the sampler returns. Raises SamplerFailedError if it raises, or outlasts its allowance.

        What the encoder refused while the sampler asked it is raised as it is.
        """
        attempt = _Attempt(lambda: self._sampler.select(context, parameters))
        limit = context.allowance.milliseconds + GRACE_MILLISECONDS
        while not attempt.done.wait(max(0.001, min(_LOOK_SECONDS, (limit - context.meter.own_milliseconds) / 1000))):
            if context.meter.own_milliseconds > limit:
                raise self._hangs(attempt, context)
        refused = context.meter.refused
        if refused is not None and attempt.error is refused:
            raise refused
        if attempt.error is not None:
            raise self._raised(attempt.error) from attempt.error
        return attempt.result

    def _hangs(self, attempt: "_Attempt", context: SamplerContext) -> SamplerHangsError:
        where = own_line(self._sampler.select, attempt.stack())
        with self._lock:
            self.hanging += 1
        attempt.leave(self._came_back)
        return SamplerHangsError(
            f"sampler {self._sampler.name!r} had not chosen after {context.meter.own_milliseconds:.0f} ms, "
            f"{context.allowance.milliseconds:g} are allowed; it was at {where}; "
            f"mend it, or raise spec.sampler.allowance.milliseconds"
        )

    def _came_back(self) -> None:
        with self._lock:
            self.hanging -= 1

    def _raised(self, error: BaseException) -> SamplerFailedError:
        where = own_line(self._sampler.select, traceback.extract_tb(error.__traceback__))
        if isinstance(error, SelectionError):
            return WrongSelectionError(f"sampler {self._sampler.name!r} chose what is no selection: {error} at {where}")
        return SamplerFailedError(
            f"sampler {self._sampler.name!r} raised {type(error).__name__}: {error} at {where}; "
            f"try it with `pitwall check-sampler {self._sampler.name}`"
        )


class _Attempt:
    """One run in a daemon thread, which may be left behind and does not hold the process at its end."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.done = threading.Event()
        self.result: object = None
        self.error: BaseException | None = None
        self._work = work
        self._lock = threading.Lock()
        self._then: Callable[[], None] = lambda: None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[object] | None = None
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._thread.start()

    def leave(self, then: Callable[[], None]) -> None:
        """Cancel it if it is async; `then` is called when it has come back, which may be now or never."""
        with self._lock:
            back = self.done.is_set()
            if not back:
                self._then = then
                if self._loop and self._task:
                    self._loop.call_soon_threadsafe(self._task.cancel)
        if back:
            then()

    def stack(self) -> list[traceback.FrameSummary]:
        """Where it is: the task's frames of an async sampler that waits, else the thread's."""
        waiting = self._task.get_stack() if self._task else []
        frame = waiting[-1] if waiting else sys._current_frames().get(self._thread.ident or 0)
        return list(traceback.extract_stack(frame)) if frame else []

    def _run(self) -> None:
        try:
            chosen = self._work()
            self.result = asyncio.run(self._awaited(chosen)) if inspect.isawaitable(chosen) else chosen
        except BaseException as error:  # whatever it raises, SystemExit too, is told by the one who waits
            self.error = error
        with self._lock:
            self._loop = self._task = None
            self.done.set()
        self._then()

    async def _awaited(self, chosen: Any) -> object:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.ensure_future(chosen)
        return await self._task


def own_line(select: Any, stack: Sequence[traceback.FrameSummary]) -> str:
    """The sampler's own last line in a stack, not that of a library which it called: `folder/file.py:line: code`."""
    home = home_of(select)
    own = [frame for frame in stack if frame.filename.startswith(home) and frame.filename not in _OURS]
    if not own:
        return "a line that is not its own"
    place = Path(own[-1].filename)
    return f"{place.parent.name}/{place.name}:{own[-1].lineno}: `{own[-1].line}`"


def home_of(select: Any) -> str:
    """Where the sampler's own code lies: its package's folder, or its single file."""
    package = str(getattr(select, "__module__", type(select).__module__)).partition(".")[0]
    module = sys.modules.get(package)
    folders = list(getattr(module, "__path__", ()))
    if folders:
        return f"{folders[0]}/"
    code = getattr(select, "__code__", None)
    return str(getattr(module, "__file__", None) or (code.co_filename if code else "?"))


_OURS = frozenset({__file__, inspect.getfile(SamplerContext)})


class ImportFailedError(Exception):
    """What the module did when it was imported, at which of its lines, and what would help."""


def imported(load: Callable[[], T], module: str) -> T:
    """What `load` gets of the module. Raises ImportFailedError whatever happens, an end of the process included."""
    try:
        return load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        remedy = "install what it needs into the image" if isinstance(error, ImportError) else "mend its module"
        where = _line_of(error, module.partition(".")[0])
        reason = f"{type(error).__name__}: {error}; {remedy}"
        raise ImportFailedError(f"{reason}; it was at {where}" if where else reason) from error


def _line_of(error: BaseException, package: str) -> str:
    """The last line of the package in the error's stack; empty if there is none."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if package in _names(Path(frame.filename))]
    if not own:
        return ""
    place = Path(own[-1].filename)
    return f"{place.parent.name}/{place.name}:{own[-1].lineno}: `{own[-1].line}`"


def _names(path: Path) -> set[str]:
    return {path.stem, *path.parent.parts}
