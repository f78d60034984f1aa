"""What this process's sampler has done wrong, told to the operator; a process full of hanging choices is ended."""

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pitwall_crds.variant.variant import SamplerVariant
from pitwall_runtime.errors import SamplerFailedError
from pitwall_runtime.plugins.publish import published

log = logging.getLogger(__name__)

MOST_HANGING = 3
"""Each takes a thread, and perhaps a core, that only the end of the process frees."""


def _end(words: str) -> None:
    """The last line of the log is what the operator shows."""
    log.critical("%s", words)
    logging.shutdown()
    os._exit(3)


@dataclass(slots=True)
class SamplerHealth:
    """Failures since the start, and the last one's words."""

    failures: int = 0
    last_failure: str = ""
    end: Callable[[str], None] = _end
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def failed(self, failure: SamplerFailedError, hanging: int) -> None:
        """Count it; the first of its kind is logged, since each question would repeat it."""
        with self._lock:
            is_new = failure.message != self.last_failure
            self.failures, self.last_failure = self.failures + 1, failure.message
        if is_new:
            log.error("%s", failure.message, exc_info=failure.__cause__)
        if hanging >= MOST_HANGING:
            self.end(f"{hanging} choices hang, so the process begins anew: {failure.message}")

    def published(self, variant: SamplerVariant) -> dict[str, Any]:
        """The samplers of this image, and how the served one does."""
        served = {"name": variant.spec.sampler.name, "failures": self.failures, "lastFailure": self.last_failure}
        return {**published(), "served": served}
