"""Checks a variant's parameters against the JSON schema that its sampler declares, and explains them by it.

The schema comes from somebody's image, and is read by a webhook that everybody needs. So only what is plain is looked
at: no references, which may multiply or lead away, and no patterns, which may take for ever. The runtime has the last
word. Pure: no clock, chance or I/O.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator, SchemaError

from pitwall_crds.host.printable import printable
from pitwall_crds.variant.variant import SamplerSpec

Schema = Mapping[str, Any]

PLAIN: Final = frozenset(
    {"type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength"}
)
MOST_ALTERNATIVES: Final = 8
_DECIMAL: Final = re.compile(r"-?\d{1,30}(\.\d{1,30})?")


def parameter_problems(spec: SamplerSpec, schema: Schema) -> Iterator[str]:
    """Each parameter that the sampler does not take, or not with this value, with what the schema says of it."""
    properties = schema.get("properties", {})
    takes: Mapping[str, Any] = properties if isinstance(properties, Mapping) else {}
    for name, value in sorted(spec.parameters.items()):
        where = f"spec.sampler.parameters.{printable(name)}"
        if name not in takes:
            close = difflib.get_close_matches(name, takes, n=1)
            offered = f'; did you mean "{close[0]}"?' if close else ""
            yield f"{where} is not a parameter of {spec.name}{offered}; it takes {', '.join(sorted(takes)) or 'none'}"
        elif reason := _reason(value, _plain(takes[name])):
            about = str(takes[name]["description"])[:200] if "description" in takes[name] else ""
            yield f"{where} = {value!r}: {reason}" + (f" ({about})" if about else "")
    required = schema.get("required", ())
    for name in required if isinstance(required, list) else ():
        if name not in spec.parameters:
            yield f"spec.sampler.parameters.{name} is missing: {spec.name} needs it"


def _plain(property_: object) -> dict[str, Any]:
    """The property's own limits, and those of its alternatives."""
    if not isinstance(property_, Mapping):
        return {}
    kept = _own(property_)
    alternatives = property_.get("anyOf", [])
    if isinstance(alternatives, list) and 0 < len(alternatives) <= MOST_ALTERNATIVES:
        kept["anyOf"] = [
            {k: v for k, v in one.items() if k in PLAIN} for one in alternatives if isinstance(one, Mapping)
        ]
    return kept


def _own(property_: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in property_.items() if key in PLAIN}


def _reason(value: object, schema: dict[str, Any]) -> str:
    """Why the value is none that the schema takes; empty if it is. A decimal, which travels as text, is a number."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value) and _takes_numbers(schema):
        value = float(value)
    try:
        Draft202012Validator.check_schema(schema)
        error = next(Draft202012Validator(schema).iter_errors(value), None)
    except (SchemaError, ValueError, TypeError, OverflowError):
        return ""
    if error is None:
        return ""
    meant = [one for one in error.context or () if one.validator != "type"]
    return str((meant[0] if meant else error).message)[:300]


def _takes_numbers(schema: Mapping[str, Any]) -> bool:
    return any(one.get("type") in {"number", "integer"} for one in (schema, *schema.get("anyOf", ())))
