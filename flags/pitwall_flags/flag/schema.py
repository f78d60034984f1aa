"""Checks a flag document against flagd's own schema, in time that grows as the document does.

Of each operand the schema says that it is one of thirteen kinds of value. A validator tries all of them, at each level
anew, and again for each of four kinds of flag: 16 KB once took two seconds. Which kind an operand can be is seen at
its name, so that one alone is tried here. What is valid is the same.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from itertools import islice
from typing import Any, Final

from jsonschema import Draft7Validator, validators
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.protocols import Validator

LONGEST_WORDS: Final = 300
MOST_FAULTS: Final = 64
"""Of one document; the one that is told is the plainest of these."""

_BASE: Final = "baseFlag"
_VARIANTS: Final = ("booleanVariants", "numberVariants", "stringVariants", "objectVariants")
_HERE: Final = "#/definitions/"
_TARGETING: Final = "./targeting.json"
_JSON_BUT_OBJECTS: Final = (bool, int, float, str, list, type(None))


def schema_problem(document: Mapping[str, Any]) -> str | None:
    """What flagd's schema objects to, with its place; None where it is satisfied."""
    fault = best_match(islice(_validator(_BASE).iter_errors(document), MOST_FAULTS))
    if fault:
        where = ".".join(str(part) for part in fault.absolute_path) or "document"
        return f"{where[:LONGEST_WORDS]}: {fault.message[:LONGEST_WORDS]}"
    if not any(_validator(kind).is_valid(document) for kind in _VARIANTS):
        return "variants: values must all be booleans, all numbers, all strings or all objects"
    return None


def _rule(validator: Any, rules: list[dict[str, Any]], instance: Any, _: Any) -> Iterator[ValidationError]:
    """`anyRule`: the properties of a rule are names of operators, and it has no others."""
    if not isinstance(instance, dict):
        yield ValidationError(f"{instance!r} is not of type 'object'")
        return
    fitting = [rule["properties"] for rule in rules if instance.keys() <= rule["properties"].keys()]
    if not fitting:
        yield ValidationError(f"{sorted(instance)} is no operator that flagd has, or several that do not go together")
        return
    for name, operands in instance.items():
        yield from validator.descend(operands, fitting[0][name], path=name)


def _operand(validator: Any, rule: dict[str, Any], instance: Any, _: Any) -> Iterator[ValidationError]:
    """`args`: a reference, a rule, or what is no object. An empty object would be two of them."""
    if isinstance(instance, _JSON_BUT_OBJECTS):
        return
    if not instance or not isinstance(instance, dict):
        yield ValidationError(f"{instance!r} is no operand")
    elif "$ref" not in instance:
        yield from validator.descend(instance, rule)
    elif len(instance) > 1 or not isinstance(instance["$ref"], str):
        yield ValidationError("a reference has $ref alone, and in it a name")


def _shares(validator: Any, shapes: list[dict[str, Any]], instance: Any, _: Any) -> Iterator[ValidationError]:
    """`fractional`: what is hashed and shares, or shares alone, which are lists."""
    with_value, shares_alone = shapes
    has_value = isinstance(instance, list) and instance and isinstance(instance[0], dict)
    yield from validator.descend(instance, with_value if has_value else shares_alone)


_OURS: Final = {"pitwallRule": _rule, "pitwallOperand": _operand, "pitwallShares": _shares}
_Quick: Final[Any] = validators.extend(Draft7Validator, _OURS)  # type: ignore[no-untyped-call]


@cache
def _validator(definition: str) -> Validator:
    """A validator of one of flagd's definitions. `baseFlag` has plainer words than `anyFlag`, which implies it."""
    validator: Validator = _Quick(_definitions()[definition])
    return validator


@cache
def _definitions() -> dict[str, Any]:
    """flagd's definitions by name. What they refer to stands in place of the reference, in circles."""
    flags, targeting = _read("flags.json"), _read("targeting.json")
    found: dict[str, Any] = {**flags["definitions"], **targeting["definitions"]}
    fractional = found["fractionalRule"]["properties"]
    fractional["fractional"] = {"pitwallShares": fractional["fractional"]["oneOf"]}
    found["anyRule"] = {"pitwallRule": found["anyRule"]["anyOf"]}
    found["args"] = {"pitwallOperand": {"$ref": f"{_HERE}anyRule"}}
    found["unaryOp"] = found["args"]  # one operand in a list, or an operand, which any list is
    found[_TARGETING] = found["anyRule"]  # which an empty object is too
    for holder, place, name in [*_references(found)]:
        holder[place] = found[name.removeprefix(_HERE)]
    return found


def _references(part: Any) -> Iterator[tuple[Any, Any, str]]:
    """Where a part of the schema refers to something, and to what. Beside a reference, draft 7 looks at nothing."""
    places = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for place, inner in places:
        if isinstance(inner, dict) and isinstance(inner.get("$ref"), str):
            yield part, place, inner["$ref"]
        else:
            yield from _references(inner)


def _read(name: str) -> dict[str, Any]:
    text = (resources.files("pitwall_flags.flag") / "schemas" / name).read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
