"""Builds the resources that are applied, for a given number of Rollouts. Pure."""

from typing import Any, Final

NAMESPACES: Final = 20
API: Final = "pitwall.dev/v1alpha1"
Object = dict[str, Any]


def namespace_of(number: int) -> str:
    return f"bench-{number % NAMESPACES:02d}"


def stable_of(number: int) -> str:
    return f"stable-{number:05d}"


def candidate_of(number: int) -> str:
    return f"candidate-{number:05d}"


def rollout_of(number: int) -> str:
    return f"rollout-{number:05d}"


def flag_of(number: int) -> str:
    return f"bench.{number:05d}"


def variant(number: int, name: str, frames: int) -> Object:
    return {
        "apiVersion": API,
        "kind": "SamplerVariant",
        "metadata": {"name": name, "namespace": namespace_of(number)},
        "spec": {"sampler": {"name": "uniform"}, "maxFrames": frames},
    }


def rollout(number: int, name: str) -> Object:
    """One gate on errors, short blocks, stages that nothing passes meanwhile, pods that go at once."""
    gate = {"name": "errors", "rate": {"metric": "Errors"}, "marginPercent": 10, "dependence": "Query"}
    return {
        "apiVersion": API,
        "kind": "Rollout",
        "metadata": {"name": rollout_of(number), "namespace": namespace_of(number)},
        "spec": {
            "flag": flag_of(number),
            "variantRef": {"name": name},
            "scaleDownDelaySeconds": 1,
            "stages": [
                {"weightBasisPoints": 1000, "minSeconds": 86_400},
                {"weightBasisPoints": 10_000, "bakeSeconds": 60},
            ],
            "analysis": {"blockSeconds": 5, "gates": [gate]},
        },
    }
