"""Derives the structural OpenAPI schema that apiextensions.k8s.io/v1 demands from a resource's type.

Structural means: no references, no alternatives of types, no titles, no closed objects. Defaults are told in the
descriptions and not set, because a server that fills them into list entries makes every GitOps tool see a difference.
"""

from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel

Schema = dict[str, Any]

_VALIDATIONS: Final = (
    "enum", "pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "maxProperties",
)  # fmt: skip
EXTENSIONS: Final = ("x-kubernetes-validations",)
_PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"
_INT_OR_STRING: Final = "x-kubernetes-int-or-string"
_LIST_KEYS: Final = "x-kubernetes-list-map-keys"
_INT32_MAXIMUM: Final = 2**31 - 1


def structural_schema(model: type[BaseModel]) -> Schema:
    """The schema of a type, references written out, with a description on every field that has one."""
    raw = model.model_json_schema(by_alias=True)
    return _structural(raw, raw.get("$defs", {}))


def _structural(node: Schema, definitions: dict[str, Schema]) -> Schema:
    node = _resolved(node, definitions)
    schema: Schema = {}
    description = _description(node)
    if description:
        schema["description"] = description
    if "anyOf" in node:
        return schema | _union(node["anyOf"])
    schema["type"] = node["type"]
    schema |= {key: node[key] for key in (*_VALIDATIONS, *EXTENSIONS) if key in node}
    match node["type"]:
        case "object":
            schema |= _object(node, definitions)
        case "array":
            schema |= _array(node, definitions)
        case "integer":
            schema |= {"format": _integer_format(node)}
    return schema


def _resolved(node: Schema, definitions: dict[str, Schema]) -> Schema:
    """The node without `$ref`, without the null of an optional field, and with `const` as an enum of one."""
    members = [member for member in node.get("anyOf", ()) if member.get("type") != "null"]
    rest = {key: value for key, value in node.items() if key not in ("anyOf", "$ref")}
    if len(members) == 1:
        return _resolved(members[0] | rest, definitions)
    if members:
        return rest | {"anyOf": [_resolved(member, definitions) for member in members]}
    if "$ref" in node:
        name = node["$ref"].rsplit("/", 1)[-1]
        return _resolved(definitions[name] | rest, definitions)
    return node | {"enum": [node["const"]]} if "const" in node else node


def _description(node: Schema) -> str:
    """The description in one paragraph, with the default unless it is empty."""
    text = " ".join(str(node.get("description", "")).split())
    default = node.get("default")
    if not isinstance(default, bool) and not default:
        return text
    if isinstance(default, dict) or not text:
        return text
    return f"{text} Default: {_spelt(default)}."


def _spelt(default: Any) -> str:
    match default:
        case bool():
            return str(default).lower()
        case list():
            return "[" + ", ".join(map(_spelt, default)) + "]"
    return str(default)


def _union(members: list[Schema]) -> Schema:
    """Alternatives of scalar types. A structural schema knows one such union; others keep their value's bounds only."""
    bounds = {key: value for member in members for key, value in member.items() if key in _VALIDATIONS}
    if sorted(member["type"] for member in members) == ["integer", "string"]:
        return {_INT_OR_STRING: True, **bounds}
    # Bounds hold for the types that they are about; multipleOf 1 refuses floats, the zeros refuse lists and maps.
    return {_PRESERVE: True, "multipleOf": 1, "maxItems": 0, "maxProperties": 0, **bounds}


def _object(node: Schema, definitions: dict[str, Schema]) -> Schema:
    values = node.get("additionalProperties")
    if "properties" in node:
        fields = {name: _structural(field, definitions) for name, field in node["properties"].items()}
        return {"properties": fields} | ({"required": node["required"]} if "required" in node else {})
    if isinstance(values, dict) and values:
        return {"additionalProperties": _structural(values, definitions)}
    return {_PRESERVE: True}


def _array(node: Schema, definitions: dict[str, Schema]) -> Schema:
    items = _structural(node["items"], definitions)
    if _LIST_KEYS in node:
        return {"items": items, "x-kubernetes-list-type": "map", _LIST_KEYS: node[_LIST_KEYS]}
    return {"items": items, "x-kubernetes-list-type": "atomic"}


def _integer_format(node: Schema) -> str:
    return "int32" if node.get("maximum", _INT32_MAXIMUM + 1) <= _INT32_MAXIMUM else "int64"


def fields(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema, bool]]:
    """Every field below a schema: its path as kubectl explain takes it, its schema, whether it is required."""
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        yield here, field, name in required
        yield from fields(field.get("items", field), here)
