"""Measures work in a unit that does not depend on how fast or how busy the machine is."""

import gc
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

YARDSTICK = "[" + "0," * (1 << 19) + "0]"


@dataclass
class Effort:
    """What this thread worked, in readings of a plain megabyte of JSON (some 10 ms)."""

    megabytes: float = 0.0


@contextmanager
def effort() -> Iterator[Effort]:
    """Measure the block, and the yardstick in the same thread before and after it. Nobody searches for garbage
    meanwhile: how long that takes says how many tests ran before in this process."""
    was_searching, spent = gc.isenabled(), Effort()
    gc.disable()
    try:
        before = _seconds_of_yardstick()
        started = time.thread_time()
        yield spent
        seconds = time.thread_time() - started
        spent.megabytes = 2 * seconds / (before + _seconds_of_yardstick())
    finally:
        if was_searching:
            gc.enable()


def _seconds_of_yardstick() -> float:
    started = time.thread_time()
    json.loads(YARDSTICK)
    return time.thread_time() - started
