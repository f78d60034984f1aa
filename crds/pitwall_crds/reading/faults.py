"""Says in words what pydantic found wrong with what somebody sent."""

import re
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pitwall_crds.host.printable import printable, shortened
from pitwall_crds.reading.problems import shown
from pitwall_crds.reading.sent import BodyFaultError, read_json

LONGEST_FIELD: Final = 64
LONGEST_FAULT: Final = 1024
"""Characters of what is said of one fault of a resource."""
MOST_FAULTS: Final = 1000
"""Looked at in one body; pydantic describes all or none, and of a hundred thousand for half a second."""

_BUILT: Final = re.compile(r"[a-z-]+\[.*\]", re.DOTALL)
"""A built type, as pydantic names an alternative of a union: tuple[…], function-after[…]."""
_TYPES: Final = frozenset({"str", "int", "float", "bool", "none", "constrained-str", "constrained-int"})
"""No field of a body is called so."""
_MODEL: Final = re.compile(r"[A-Z]\w*")
"""A class of ours; nor is one written so."""
_OBJECT: Final = "Input should be an object"

Place = tuple[str | int, ...]
Sent = TypeVar("Sent", bound=BaseModel)


def read_body(kind: type[Sent], body: bytes, *, furthest: bool = False) -> Sent:
    """The body as this model. Raises BodyFaultError, with the words of `fault_in_words`.

    Of a megabyte of the worst that may be sent it takes less than 20 ms: a document is made once, where each fault that
    `model_validate_json` finds makes what it is about anew.
    """
    document = read_json(body)
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise BodyFaultError(fault_in_words(error, furthest=furthest)) from None


def fault_in_words(error: ValidationError, *, whole: str = "the body", furthest: bool = False) -> str:
    """`field is "value": what is wrong`, of the first fault, or of the one deepest inside: where one of several shapes
    was meant, that which came furthest. The value is told only where it is a single one; of very many faults only
    their number is."""
    if error.error_count() > MOST_FAULTS:
        return f"{whole} has {error.error_count()} faults, and no more than {MOST_FAULTS} are looked at"
    faults = [(_place(fault), fault) for fault in error.errors(include_url=False)]
    return _words(*(max(faults, key=_came_so_far) if furthest else faults[0]), whole)


def first_faults(error: ValidationError, most: int) -> tuple[str, ...]:
    """`field: what is wrong` of the first faults of a resource, printable, whatever the field is called; of very many
    their number."""
    if error.error_count() > MOST_FAULTS:
        return (f"there are {error.error_count()} faults, and no more than {MOST_FAULTS} are looked at",)
    faults = error.errors(include_url=False, include_input=False)[:most]
    told = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
    return tuple(shortened(printable(words[:LONGEST_FAULT]), LONGEST_FAULT) for words in told)


def _came_so_far(fault: tuple[Place, ErrorDetails]) -> tuple[int, bool]:
    place, details = fault
    return len(place), not details["type"].endswith("_type")


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
        case "tuple_type" | "list_type":
            return "Input should be a list"
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
