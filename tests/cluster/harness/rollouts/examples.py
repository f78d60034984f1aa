"""Prepares the example files for a test: shorter, and on a flag of the test's own."""

import copy
from pathlib import Path
from typing import Any

import yaml

from pitwall_crds.names import FULL_WEIGHT

ROOT = Path(__file__).parents[4]
FOLDER = ROOT / "examples"


def edited(resource: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy with the value at a dotted path; None removes the field."""
    changed: Any = copy.deepcopy(resource)
    *parents, last = (int(step) if step.isdecimal() else step for step in path.split("."))
    place = changed
    for step in parents:
        place = place[step] if isinstance(step, int) else place.setdefault(step, {})
    if value is None:
        del place[last]
    else:
        place[last] = value
    return changed


def variants() -> list[dict[str, Any]]:
    """Every SamplerVariant of the examples."""
    return list(yaml.safe_load_all((FOLDER / "variants.yaml").read_text()))


def rollout(file: str, flag: str) -> dict[str, Any]:
    """A Rollout of the examples: without stages below 10 %, which need more traffic; each lasts a second."""
    [made] = yaml.safe_load_all((FOLDER / file).read_text())
    spec = made["spec"]
    stages = [stage for stage in spec["stages"] if stage.get("weightBasisPoints", FULL_WEIGHT) >= 1000]
    spec["stages"] = [
        stage | {"minSeconds": 1} | ({"bakeSeconds": 2} if stage.get("bakeSeconds") else {}) for stage in stages
    ]
    spec["analysis"] |= {"blockSeconds": 1}
    for gate in spec["analysis"]["gates"]:
        gate.pop("warmupSeconds", None)
    return edited(made, "spec.flag", flag)
