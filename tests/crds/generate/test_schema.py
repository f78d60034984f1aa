"""What apiextensions.k8s.io/v1 demands of a schema, checked on the schemas that the types give."""

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from pydantic import Field

from pitwall_crds.generate.render import KINDS, KindDescription, definition
from pitwall_crds.generate.schema import fields, structural_schema
from pitwall_crds.resource import Border, keyed_by

PRESERVE = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"
KNOWN_KEYS = {
    "description", "type", "format", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum", "multipleOf",
    "minItems", "maxItems", "maxProperties", "required", "properties", "items", "additionalProperties", PRESERVE,
    INT_OR_STRING, "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations",
}  # fmt: skip
"""Everything the renderer may write: no `$ref`, `anyOf`, `title`, `default` or `const`."""


def root(kind: KindDescription) -> dict[str, Any]:
    schema: dict[str, Any] = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


SCALED = ".spec.runtime.replicas"
"""The one field with a stored default; see docs/decisions/0014-replicas-are-stored.md."""


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema below and including one."""
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from nodes(field, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from nodes(schema[key], f"{path}[{key}]")


def faults(schema: dict[str, Any]) -> list[str]:
    """What is not structural, or costs CEL and etcd without a bound."""
    found = []
    for path, node in nodes(schema):
        allowed = KNOWN_KEYS | ({"default"} if path == SCALED else set())
        found += [f"{path}: {key} is not allowed" for key in node.keys() - allowed]
        untyped = node.get(PRESERVE) or node.get(INT_OR_STRING)
        if "type" not in node and not untyped:
            found.append(f"{path}: no type")
        if "properties" in node and "additionalProperties" in node:
            found.append(f"{path}: properties exclude additionalProperties")
        found += [f"{path}: required {name} is no property" for name in missing(node)]
        found += [f"{path}: {bound}" for bound in unbounded(node)]
    return found


def missing(node: dict[str, Any]) -> list[str]:
    return [name for name in node.get("required", ()) if name not in node["properties"]]


def unbounded(node: dict[str, Any]) -> list[str]:
    match node:
        case {"type": "string"} if not node.keys() & {"maxLength", "enum"}:
            return ["text without maxLength"]
        case {"type": "integer"} if not {"minimum", "maximum", "format"} <= node.keys():
            return ["integer without minimum, maximum and format"]
        case {"type": "array"} if not {"maxItems", "items", "x-kubernetes-list-type"} <= node.keys():
            return ["list without maxItems, items and list type"]
        case {"type": "object", "additionalProperties": _} if "maxProperties" not in node:
            return ["map without maxProperties"]
        case {"type": "number"}:
            return ["a float"]
    return []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_schemas_are_structural_and_bounded(kind: KindDescription):
    assert faults(root(kind)) == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_metadata_says_nothing_but_its_type_and_how_names_look(kind: KindDescription):
    metadata = root(kind)["properties"]["metadata"]

    assert metadata.keys() == {"type", "properties"}
    assert metadata["properties"].keys() == {"name"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_every_field_is_described(kind: KindDescription):
    plain = [path for path, field, _ in fields(root(kind)) if not field.get("description")]

    assert plain == ["metadata"]  # the API server describes it, and refuses that anyone else does


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_list_keys_are_required_fields_of_the_entries(kind: KindDescription):
    keyed = [node for _, node in nodes(root(kind)) if "x-kubernetes-list-map-keys" in node]

    assert keyed
    for node in keyed:
        assert node["x-kubernetes-list-type"] == "map"
        assert set(node["x-kubernetes-list-map-keys"]) <= set(node["items"]["required"])


class Inner(Border):
    """An inner type."""

    name: str
    size: Annotated[int, Field(ge=0, le=2**40)] = 3


class Outer(Border):
    """An outer type."""

    inner: Inner
    maybe: Annotated[Inner | None, Field(description="Of its own.")] = None
    named: Annotated[tuple[Inner, ...], Field(max_length=4, json_schema_extra=keyed_by("name"))] = ()
    numbers: Annotated[tuple[int, ...], Field(description="Some.")] = (1, 2)
    quantity: int | Annotated[str, Field(max_length=8)] = 1
    scalar: bool | int | str = True
    enabled: Annotated[bool, Field(description="On or not.")] = False
    free: Annotated[dict[str, Any], Field(default_factory=dict)]


def outer(field: str) -> dict[str, Any]:
    schema: dict[str, Any] = structural_schema(Outer)["properties"][field]
    return schema


@pytest.mark.parametrize(
    ("field", "part"),
    [
        pytest.param("inner", {"description": "An inner type.", "required": ["name"]}, id="a-reference-is-written-out"),
        pytest.param("maybe", {"description": "Of its own.", "type": "object"}, id="null-of-an-optional-field-goes"),
        pytest.param(
            "named", {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}, id="keyed-list"
        ),
        pytest.param("numbers", {"x-kubernetes-list-type": "atomic"}, id="other-lists-are-atomic"),
        pytest.param("numbers", {"description": "Some. Default: [1, 2]."}, id="defaults-are-told"),
        pytest.param("enabled", {"description": "On or not. Default: false."}, id="false-is-a-default"),
        pytest.param("quantity", {INT_OR_STRING: True, "maxLength": 8}, id="integer-or-text"),
        pytest.param("scalar", {PRESERVE: True, "multipleOf": 1}, id="other-unions-keep-their-bounds"),
        pytest.param("free", {PRESERVE: True, "type": "object"}, id="free-objects-are-preserved"),
    ],
)
def test_a_field_becomes(field: str, part: dict[str, Any]):
    schema = outer(field)

    assert {key: schema[key] for key in part} == part


def test_large_integers_are_int64():
    assert outer("inner")["properties"]["size"]["format"] == "int64"
