"""Says in words what pydantic found wrong with what somebody sent."""

import re
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pitwall_crds.host.printable import printable
from pitwall_crds.reading.problems import shown

LONGEST_FIELD: Final = 64

_BUILT: Final = re.compile(r"[a-z-]+\[.*\]", re.DOTALL)
"""A built type, as pydantic names an alternative of a union: tuple[…], function-after[…]."""
_TYPES: Final = frozenset({"str", "int", "float", "bool", "none", "constrained-str", "constrained-int"})
"""No field of a body is called so."""
_MODEL: Final = re.compile(r"[A-Z]\w*")
"""A class of ours; nor is one written so."""
_AT: Final = re.compile(r" at line \d+ column \d+$")
_OBJECT: Final = "Input should be an object"

Place = tuple[str | int, ...]


def fault_in_words(error: ValidationError, *, whole: str = "the body", furthest: bool = False) -> str:
    """`field is "value": what is wrong`, of the first fault, or of the one deepest inside: where one of several shapes
    was meant, that which came furthest. The value is told only where it is a single one."""
    faults = [(_place(fault), fault) for fault in error.errors(include_url=False)]
    return _words(*(max(faults, key=lambda one: len(one[0])) if furthest else faults[0]), whole)


def _place(fault: ErrorDetails) -> Place:
    """The location as the body has it: without the steps that name a union's alternative, by its type or its tag."""
    steps: list[str | int] = []
    is_tagged = False
    for index, step in enumerate(fault["loc"]):
        is_senders = fault["type"] == "extra_forbidden" and index == len(fault["loc"]) - 1
        if isinstance(step, int) or is_senders:
            steps.append(step)
        elif _BUILT.fullmatch(step):
            is_tagged = "tagged-union[" in step
        elif is_tagged:
            is_tagged = False
        elif step not in _TYPES and not _MODEL.fullmatch(step):
            steps.append(step)
    return tuple(steps)


def _words(place: Place, fault: ErrorDetails, whole: str) -> str:
    if fault["type"] == "json_invalid":
        at = _AT.search(fault["msg"])
        return f"{whole} is no valid JSON{at.group() if at else ''}"
    where = printable(".".join(map(str, place))[:LONGEST_FIELD]) or whole
    return f"{where}{_value(fault)}: {_reason(fault)}"


def _reason(fault: ErrorDetails) -> str:
    """What is wrong, without the names of our classes and without a tag at any length."""
    context = fault.get("ctx", {})
    match fault["type"]:
        case "union_tag_invalid":
            tag = printable(shown(context["tag"]))
            return f"{context['discriminator']} is {tag}, and must be one of {context['expected_tags']}"
        case "union_tag_not_found":
            return f"{context['discriminator']} is missing"
        case "model_type" | "model_attributes_type" | "dataclass_type" | "dict_type":
            return _OBJECT
        case "too_short":
            return f"there must be at least {context['min_length']}, not {context['actual_length']}"
        case "too_long":
            return f"there must be at most {context['max_length']}"
    return fault["msg"].removeprefix("Value error, ")


def _value(fault: ErrorDetails) -> str:
    if not fault["loc"] or fault["type"] == "missing" or not isinstance(fault["input"], str | int | float):
        return ""
    try:
        return f" is {printable(shown(fault['input']))}"
    except ValueError:
        return " is a number of thousands of digits"
