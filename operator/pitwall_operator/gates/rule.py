"""A hash of what a gate counts: counts made under another rule must not be subtracted from these."""

import hashlib
import json
from functools import lru_cache
from typing import Any, Final

from pitwall_crds.rollout.gate import Gate

FORMAT: Final = 2
"""How evidence is counted and kept. What another version kept is not taken over: a gate begins anew then."""


@lru_cache(maxsize=512)
def rule_of(gate: Gate) -> str:
    """Equal as long as metric, unit, edges and objective are; margins that only move a boundary do not count.

    Every turn asks for them, and a gate seldom changes."""
    counted: dict[str, Any] = {"format": FORMAT} | gate.model_dump(
        mode="json", include={"quantile": True, "rate": True, "mean": True}
    )
    if gate.rate:
        counted["rate"] = {"metric": gate.rate.metric, "unit": gate.rate.trial, "objective": gate.objective}
    else:
        counted["edges"] = gate.margin_percent
    return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()[:12]
