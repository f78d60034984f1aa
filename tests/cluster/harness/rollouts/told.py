"""Builds Rollouts and statuses as an operator would leave them, for tests of commands that only read."""

from typing import Any

START = "2026-01-01T00:00:00.000Z"
GATE = {
    "name": "latency-p90",
    "verdict": "Inconclusive",
    "message": "8.1% of queries were slower than the p90 limit, control 10.2%, 340 queries, e=3.2 of 20",
    "missingTrials": 1400,
    "evidence": [
        {"name": "harm", "logE": "0.1", "logThreshold": "6.2", "acting": True},
        {"name": "non-inferiority", "logE": "1.16", "logThreshold": "3.0", "acting": True},
    ],
}
CANARY = {
    "observedGeneration": 1,
    "phase": "Canary",
    "stage": "10%",
    "weight": "10%",
    "stableVariant": "uniform-v1",
    "candidateVariant": "aks-v1",
    "stageIndex": 2,
    "stageStartTime": START,
    "verdict": "Inconclusive",
    "reason": "latency-p90: about 1400 more queries needed",
    "weights": [
        {"arm": "candidate", "variant": "aks-v1", "weightBasisPoints": 1000},
        {"arm": "control", "variant": "uniform-v1", "weightBasisPoints": 1000},
        {"arm": "stable", "variant": "uniform-v1", "weightBasisPoints": 8000},
    ],
    "gates": [GATE],
    "conditions": [
        {"type": "Ready", "status": "False", "reason": "Canary", "lastTransitionTime": START, "observedGeneration": 1},
        {"type": "Measured", "status": "Unknown", "reason": "Silent", "lastTransitionTime": START, "message": "why"},
    ],
    "history": [{"time": START, "reason": "StageEntered", "message": "10% of the traffic", "variant": "aks-v1"}],
}
FLAGGED_OFF = {
    "observedGeneration": 1,
    "phase": "FlaggedOff",
    "stage": "flagged off",
    "stableVariant": "uniform-v1",
    "verdict": "Harmful",
    "reason": "aks-v1 was flagged off by latency-p90",
    "flaggedOff": [
        {"variant": "aks-v1", "revision": "abc", "gate": "latency-p90", "message": "too slow, e=412", "time": START}
    ],
}


def rollout(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "pitwall.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": name},
        "spec": {
            "flag": f"flag.{name}",
            "variantRef": {"name": "aks-v1"},
            "stages": [
                {"shadow": {"percent": 5}},
                {"weightBasisPoints": 100},
                {"weightBasisPoints": 1000, "minSeconds": 600, "maxSeconds": 3600, "approval": "Manual"},
                {"weightBasisPoints": 10000, "bakeSeconds": 60},
            ],
            "analysis": {"gates": [{"name": "latency-p90", "quantile": {"metric": "QueryLatency", "perMille": 900}}]},
            **spec,
        },
    }
