"""Describes samplers as data, for those who cannot import them: the operator, its webhook, the command lines.

`pitwall-runtime catalogue` tells what a runtime image has; `--built-in FILE` writes this version's own, as
`make generate` does.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.plugins.aside import kept_aside
from pitwall_runtime.samplers.catalogue import BUILT_IN, find, names
from pitwall_runtime.samplers.contract import Sampler
from pitwall_runtime.samplers.parameters import schema_of


def describe(sampler: Sampler) -> dict[str, Any]:
    """Name, version of the contract, stability, idea, source, inputs, and parameters as JSON schema."""
    return {
        "name": sampler.name,
        "contract": sampler.contract,
        "stability": sampler.stability,
        "summary": sampler.summary,
        "source": sampler.source,
        "uses": sorted(sampler.uses),
        "needs": sorted(sampler.needs),
        "parameters": schema_of(sampler),
    }


def catalogue() -> tuple[list[dict[str, Any]], list[str]]:
    """Every sampler that can serve here, and why others that are installed cannot."""
    entries, broken = [], []
    for name in names():
        try:
            entries.append(describe(find(name)))
        except BadVariantError as refusal:
            broken.append(refusal.message)
    return entries, broken


def _told(entries: Iterable[dict[str, Any]], broken: Iterable[str]) -> str:
    rows = [(one["name"], one["stability"], one["summary"]) for one in entries]
    width = max(len(name) for name, _, _ in rows)
    lines = [f"{name:{width}}  {stability:6}  {summary}" for name, stability, summary in rows]
    return "\n".join([*lines, *(f"broken: {words}" for words in broken)])


def main() -> None:
    """Print the catalogue, or write what is built in."""
    parser = argparse.ArgumentParser(prog="pitwall-runtime catalogue", description="The samplers of this installation.")
    parser.add_argument("--json", action="store_true", help="with everything that a SamplerVariant's status keeps")
    parser.add_argument("--built-in", type=Path, metavar="FILE", help="write the built-in ones to a file instead")
    chosen = parser.parse_args()
    if chosen.built_in:
        text = json.dumps([describe(find(name)) for name in BUILT_IN], indent=1, ensure_ascii=False)
        chosen.built_in.write_text(text + "\n", encoding="utf-8")
        return
    with kept_aside():
        entries, broken = catalogue()
    print(json.dumps({"samplers": entries, "broken": broken}, indent=1) if chosen.json else _told(entries, broken))


if __name__ == "__main__":
    main()
