"""Makes Rollouts and SamplerVariants with a few things wrong, for fuzzers: as files and as the API server has them."""

import json
import random
from pathlib import Path
from typing import Any

import yaml
from harness.fuzzing import ODD, as_json, damaged

EXAMPLES = Path(__file__).parents[3] / "examples"
TEXTS = tuple(file.read_bytes() for file in sorted(EXAMPLES.glob("*.yaml")))
TIME = "2026-11-30T12:00:00.000Z"
ROLLOUT_STATUS = {
    "observedGeneration": 3, "phase": "Canary", "stage": "1%", "weight": "1%", "stableVariant": "uniform-v1",
    "stableRevision": "r1", "candidateVariant": "aks-v1", "candidateRevision": "r2", "runId": "run-1",
    "runStartTime": TIME, "stageIndex": 1, "stageStartTime": TIME, "lastBlockTime": TIME, "blockSeconds": 3,
    "plan": ["about 3 days"], "weights": [{"arm": "candidate", "variant": "aks-v1", "weightBasisPoints": 100}],
    "verdict": "Inconclusive", "cursor": '{"rows":{},"seen":{}}', "users": "{}", "experiments": ["dpp-v1"],
    "gates": [
        {
            "name": "errors", "verdict": "Harmful", "message": "more fail", "missingTrials": 7,
            "state": '{"counts":{}}',
            "evidence": [{"name": "harm", "logE": "-0.5", "logThreshold": "4.6"}],
            "tail": {"control": "1.024", "candidate": "1.1", "further": [{"control": "1.0", "candidate": "1.1"}]},
        }
    ],
    "served": [{"variant": "old-v1", "revision": "r0", "until": TIME}],
    "fastTrack": {"stages": [1, 4], "reason": "ada asked", "undo": True},
    "flaggedOff": [{"variant": "dpp-v1", "revision": "r", "gate": "errors", "message": "worse", "time": TIME}],
    "history": [{"time": TIME, "reason": "Promoted", "message": "it is better", "variant": "aks-v1"}],
    "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": TIME, "reason": "Canary"}],
}  # fmt: skip
FULL_SPEC = {
    "schedule": {"timeZone": "Europe/Paris", "windows": [{"startTime": "08:00", "endTime": "18:00"}]},
    "candidateFallback": {}, "experiments": [{"variantRef": {"name": "dpp-v1"}, "percent": 5}], "onDeadline": "FlagOff",
    "action": {"id": "a1", "verb": "Abort", "actor": "ada", "reason": "it is slow"}, "rollbackWindowSeconds": 3600,
}  # fmt: skip
METADATA = {
    "namespace": "shop", "uid": "7f", "resourceVersion": "12", "generation": 3, "creationTimestamp": TIME,
    "labels": {"team": "video"}, "annotations": {"note": "é"},
}  # fmt: skip


def nested(levels: int) -> list[Any]:
    """So many lists within one another."""
    inner: list[Any] = []
    for _ in range(levels):
        inner = [inner]
    return inner


ODD_VALUES = (
    *ODD, 2**31, 2**53 + 1, -(2**63), 2**64, 0.1, -0.0, 1e-320, "0.1", "inf", "-inf", "nan", "1e999", "24:00", "25:61",
    "08:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-02-30T12:00:00Z", "2026-11-30", "Europe/Atlantis",
    "../../etc/passwd", "\u202egpj", "a" * 64, "-a", "A", "yes", "{}", '{"rows":1}', "[" * 3000, nested(60),
    nested(300), {"name": "x"}, {"name": "aks-v1", "extra": 1}, "b" * 70_000, [1] * 2500,
)  # fmt: skip
KEYS = (
    "extra", "status", "spec", "name", "shadow", "quantile", "rate", "mean", "action", "pod", "runtime", "parameters",
    "objectiveMilliseconds", "minSeconds", "labels", "", "\x1b[2J", "é" * 70,
)  # fmt: skip


def objects() -> list[dict[str, Any]]:
    """What the examples hold as an API server has it; one Rollout with every part of a spec and a status."""
    written = [document for text in TEXTS for document in yaml.safe_load_all(text)]
    whole = [{**one, "metadata": {**one["metadata"], **METADATA}} for one in written]
    rollout = next(one for one in whole if one["kind"] == "Rollout")
    full = {**rollout, "spec": {**rollout["spec"], **FULL_SPEC}, "status": ROLLOUT_STATUS}
    return [*whole, *[full] * len(whole)]


OBJECTS = objects()


def odd_object(dice: random.Random) -> Any:
    return damaged(dice.choice(OBJECTS), dice, faults=dice.randrange(4), keys=KEYS, odd=ODD_VALUES, deeper=0.85)


def stored_object(dice: random.Random) -> dict[str, Any]:
    """An odd one as an API server has it, which sees to the metadata and knows no halves of characters and no NaN."""
    text = as_json(odd_object(dice)).replace(b"\\ud800", b"\\ufffd").replace(b"NaN", b"0").replace(b"Infinity", b"1")
    found = json.loads(text)
    kind = found.get("kind")
    kind = kind if kind in ("Rollout", "SamplerVariant") else "Rollout"
    return {**found, "kind": kind, "metadata": {**METADATA, "name": "sampler"}}
