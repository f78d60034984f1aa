"""The catalogue as a serving process publishes it: plug-ins that it does not serve are looked at from outside."""

import json
import logging
import subprocess
import sys
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Final

from pitwall_crds.variant.builtin import CATALOGUE
from pitwall_runtime.samplers.catalogue import GROUP

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 60.0


@cache
def published() -> dict[str, Any]:
    """`samplers` and `broken`, as `pitwall-runtime catalogue --json` says; looked at once per process.

    Importing somebody's module may hang or end a process, so it is not this one.
    """
    if not entry_points(group=GROUP):
        return {"samplers": list(CATALOGUE), "broken": []}
    command = [sys.executable, "-m", "pitwall_runtime", "catalogue", "--json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LOOK_SECONDS, check=True)  # noqa: S603
        said: dict[str, Any] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        words = f"the installed samplers cannot be listed ({error}); try `pitwall-runtime catalogue` in the image"
        log.warning("%s", words)
        return {"samplers": list(CATALOGUE), "broken": [words]}
    return said
