"""Says in words what pydantic found wrong with what somebody sent."""

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pitwall_crds.host.printable import printable
from pitwall_crds.reading.problems import shown

LONGEST_FIELD = 64


def fault_in_words(error: ValidationError, *, whole: str = "the body", furthest: bool = False) -> str:
    """`field is "value": what is wrong`, of the first fault, or of the one deepest inside: where one of several shapes
    was meant, that which came furthest. The value is told only where it is a single one."""
    faults = error.errors(include_url=False)
    return _words(max(faults, key=lambda one: len(one["loc"])) if furthest else faults[0], whole)


def _words(fault: ErrorDetails, whole: str) -> str:
    where = printable(".".join(map(str, fault["loc"]))[:LONGEST_FIELD]) or whole
    return f"{where}{_value(fault)}: {fault['msg'].removeprefix('Value error, ')}"


def _value(fault: ErrorDetails) -> str:
    if not fault["loc"] or fault["type"] == "missing" or not isinstance(fault["input"], str | int | float):
        return ""
    try:
        return f" is {printable(shown(fault['input']))}"
    except ValueError:
        return " is a number of thousands of digits"
