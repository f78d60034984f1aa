"""Describes samplers as data, for those who cannot import them: the operator, its webhook, the command lines.

`python -m pitwall_runtime.samplers.describe FILE` writes the built-in ones, as `make generate` does.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pitwall_runtime.samplers.catalogue import BUILT_IN, find
from pitwall_runtime.samplers.contract import Sampler


def describe(sampler: Sampler) -> dict[str, Any]:
    """Name, version of the contract, stability, idea, source, what it looks at, and its parameters as JSON schema."""
    return {
        "name": sampler.name,
        "contract": sampler.contract,
        "stability": sampler.stability,
        "summary": sampler.summary,
        "source": sampler.source,
        "uses": sorted(sampler.uses),
        "parameters": schema_of(sampler),
    }


def schema_of(sampler: Sampler) -> dict[str, Any]:
    """The JSON schema of its parameters, in the words of a SamplerVariant."""
    return sampler.parameters.model_json_schema(by_alias=True)


def main() -> None:
    """Write what is built in."""
    entries = [describe(find(name)) for name in BUILT_IN]
    Path(sys.argv[1]).write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
