"""A hash of what a gate counts: counts made under another rule must not be subtracted from these."""

import hashlib
import json

from pitwall_crds.gate import Gate


def rule_of(gate: Gate) -> str:
    """Equal as long as metric, unit, edges and objective are; margins that only move a boundary do not count."""
    counted = gate.model_dump(mode="json", include={"quantile": True, "rate": True, "mean": True})
    if gate.rate:
        counted["rate"].pop("label_delay_seconds")
    else:
        counted["edges"] = gate.margin_percent
    return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()[:12]
