"""Writes the CustomResourceDefinitions as YAML, one per kind: `python -m pitwall_crds.generate.render DIRECTORY`."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from pitwall_crds import names
from pitwall_crds.generate.schema import EXTENSIONS, Schema, structural_schema
from pitwall_crds.resource import DNS_LABEL, Border
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.variant.variant import SamplerVariant

HEADER: Final = (
    "# Made by `python -m pitwall_crds.generate.render crds` from the types in crds/pitwall_crds; do not edit.\n"
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of `kubectl get`; priority 1 shows with `-o wide` only."""

    name: str
    path: str
    description: str
    type: str = "string"
    priority: int = 0


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where /scale finds what an autoscaler reads and writes."""

    replicas: str
    observed: str
    selector: str

    def subresource(self) -> dict[str, str]:
        """As a CRD spells it."""
        return {
            "specReplicasPath": self.replicas,
            "statusReplicasPath": self.observed,
            "labelSelectorPath": self.selector,
        }


@dataclass(frozen=True, slots=True)
class KindDescription:
    """What a CRD says beside its schema."""

    model: type[Border]
    plural: str
    short_name: str
    columns: tuple[Column, ...]
    scale: ScalePaths | None = None

    @property
    def file_name(self) -> str:
        """Where the CRD is written: group and plural, as other tools name such files."""
        return f"{names.GROUP}_{self.plural}.yaml"


_AGE: Final = Column("Age", ".metadata.creationTimestamp", "Time since creation.", type="date")

KINDS: Final = (
    KindDescription(
        SamplerVariant,
        plural="samplervariants",
        short_name="pwv",
        scale=ScalePaths(".spec.runtime.replicas", ".status.replicas", ".status.selector"),
        columns=(
            Column("Sampler", ".spec.sampler.name", "Which sampler runs."),
            Column("Ready", ".status.ready", "Pods that can answer, of those that should run."),
            Column("Arm", ".status.arm", "Which share of the traffic it gets."),
            Column("P99", ".status.metrics.latencyP99", "99th percentile of query latency."),
            Column("Select", ".status.metrics.frameSelection", "Time to choose the frames."),
            Column("Tokens", ".status.metrics.tokensPerQuery", "Visual tokens per query."),
            Column("Hit", ".status.metrics.cacheHitRate", "Share of frames found in the embed cache."),
            Column("Encoder", ".status.metrics.encoderUtilization", "Busy share of the encoder."),
            Column("Stability", ".status.stability", "How far the sampler may be trusted.", priority=1),
            Column("Flagged off", ".status.flaggedOff", "Why it was flagged off.", priority=1),
            _AGE,
        ),
    ),
    KindDescription(
        Rollout,
        plural="rollouts",
        short_name="pwr",
        columns=(
            Column("Variant", ".spec.variantRef.name", "What should serve."),
            Column("Stable", ".status.stableVariant", "What serves."),
            Column("Stage", ".status.stage", "Where the rollout stands."),
            Column("Weight", ".status.weight", "The candidate's share of the traffic."),
            Column("Verdict", ".status.verdict", "What the evidence says."),
            Column("Reason", ".status.reason", "Why it stands there."),
            Column("Flag", ".spec.flag", "The flag that decides.", priority=1),
            _AGE,
        ),
    ),
)


def definition(kind: KindDescription) -> dict[str, Any]:
    """One CustomResourceDefinition."""
    name = kind.model.__name__
    spec_names = {
        "kind": name,
        "listKind": f"{name}List",
        "plural": kind.plural,
        "singular": name.lower(),
        "shortNames": [kind.short_name],
        "categories": [names.CATEGORY],
    }
    version = {
        "name": names.VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}, **({"scale": kind.scale.subresource()} if kind.scale else {})},
        "additionalPrinterColumns": [_column(column) for column in kind.columns],
        "schema": {"openAPIV3Schema": _scalable(_root_schema(kind.model), kind.scale)},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{names.GROUP}"},
        "spec": {"group": names.GROUP, "scope": "Namespaced", "names": spec_names, "versions": [version]},
    }


def write_definitions(directory: Path) -> tuple[Path, ...]:
    """Writes each kind's file, the same bytes every time, and returns their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for kind in KINDS:
        path = directory / kind.file_name
        body = yaml.dump(definition(kind), Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
        path.write_text(HEADER + body, encoding="utf-8")
        written.append(path)
    return tuple(written)


def _scalable(schema: Schema, scale: ScalePaths | None) -> Schema:
    """The schema with a stored default of the one field that /scale reads: it answers nothing where that is absent."""
    if scale is not None:
        node = schema
        for name in scale.replicas.split(".")[1:]:
            node = node["properties"][name]
        node["default"] = 1
    return schema


def _root_schema(model: type[Border]) -> Schema:
    schema = structural_schema(model)
    fields = schema["properties"]
    name = {
        "description": "Unique in its namespace.",
        "type": "string",
        "minLength": 1,
        "maxLength": 63,
        "pattern": DNS_LABEL,
    }
    return {
        "description": schema["description"],
        "type": "object",
        **{key: schema[key] for key in EXTENSIONS if key in schema},
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "maxLength": 63, "description": f"Always {names.API_VERSION}."},
            "kind": {"type": "string", "maxLength": 63, "description": f"Always {model.__name__}."},
            "metadata": {"type": "object", "properties": {"name": name}},
            "spec": fields["spec"],
            "status": fields["status"],
        },
    }


def _column(column: Column) -> dict[str, Any]:
    text: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.path}
    return text | {"description": column.description} | ({"priority": column.priority} if column.priority else {})


class _Dumper(yaml.SafeDumper):
    """Writes equal lists twice instead of as anchor and alias."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 – PyYAML's signature
        """Always: a CRD is read by people and by kubectl explain."""
        return True


def main() -> None:
    """Writes the CRDs into the directory named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m pitwall_crds.generate.render", description=main.__doc__)
    parser.add_argument("directory", type=Path, help="where the YAML files go, such as crds")
    for path in write_definitions(parser.parse_args().directory):
        print(path)


if __name__ == "__main__":
    main()
