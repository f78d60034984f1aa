"""Asks the runtime of this environment which samplers its packages add, in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from pitwall_crds.variant.variant import SamplerEntry

ASKING_SECONDS: Final = 60.0
CATALOGUE: Final = (sys.executable, "-m", "pitwall_runtime", "catalogue", "--json")


def installed_samplers() -> Sequence[SamplerEntry]:
    """Every sampler with the schema of its parameters; none where the runtime cannot say."""
    try:
        told = subprocess.run(CATALOGUE, capture_output=True, timeout=ASKING_SECONDS, check=False).stdout  # noqa: S603
        return [SamplerEntry.model_validate(entry) for entry in json.loads(told)["samplers"]]
    except (OSError, subprocess.SubprocessError, ValueError, LookupError, TypeError):
        return ()
