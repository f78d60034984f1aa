"""What the runtime of this version has built in, for packages that do not import the runtime."""

import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from typing import Any, Final

CATALOGUE: Final[tuple[Mapping[str, Any], ...]] = tuple(
    json.loads(files("pitwall_crds.variant").joinpath("samplers.json").read_text(encoding="utf-8"))
)
"""The built-in samplers as `pitwall_runtime.plugins.describe` writes them; `make generate` remakes the file."""

SAMPLERS: Final[Mapping[str, frozenset[str]]] = {
    entry["name"]: frozenset(entry["parameters"].get("properties", ())) for entry in CATALOGUE
}
"""Samplers and the names of their parameters."""

DEFAULT_SAMPLER: Final = "quota"
"""Where a command line names none: the one that finds most, see `python -m benchmarks.evidence`."""

REDUCERS: Final = frozenset({"pool", "none"})

PROVIDES: Final = frozenset({"scores", "embeddings", "key-frames", "subtitles"})
"""What the pipeline gives every sampler. A model is there where the answer engine sees frames; nothing here detects
objects."""


def unmet_needs(sampler: str, needs: Iterable[str], *, has_model: bool) -> Iterator[str]:
    """Each signal that a sampler cannot do without and that its variant does not provide, with what to do."""
    for need in sorted(set(needs) - PROVIDES):
        if need == "model":
            if not has_model:
                yield f"sampler {sampler!r} needs a model that sees frames; set spec.answer.engine to openai"
            continue
        yield (
            f"sampler {sampler!r} needs {need}, which this version's pipeline does not provide; use an image whose "
            f"runtime does, or have its author name it in `uses` only and choose without"
        )
