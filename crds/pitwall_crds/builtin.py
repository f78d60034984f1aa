"""What the runtime of this version has built in, for packages that do not import the runtime."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

CATALOGUE: Final[tuple[Mapping[str, Any], ...]] = tuple(
    json.loads(files("pitwall_crds").joinpath("samplers.json").read_text(encoding="utf-8"))
)
"""The built-in samplers as `pitwall_runtime.plugins.describe` writes them; `make generate` remakes the file."""

SAMPLERS: Final[Mapping[str, frozenset[str]]] = {
    entry["name"]: frozenset(entry["parameters"].get("properties", ())) for entry in CATALOGUE
}
"""Samplers and the names of their parameters."""

DEFAULT_SAMPLER: Final = "quota"
"""Where a command line names none: the one that finds most, see `python -m benchmarks.evidence`."""

REDUCERS: Final = frozenset({"pool", "none"})
