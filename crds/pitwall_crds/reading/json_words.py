"""Says in words why bytes are no JSON that can be read, whatever the parser, Python's or pydantic's, says of itself."""

import json
import re
import sys
from typing import Final

_AT: Final = re.compile(r"line \d+ column \d+$")


def json_fault(error: ValueError | RecursionError) -> str:
    """What of it cannot be read, the limit, and what to send instead."""
    said = str(error)
    match error:
        case json.JSONDecodeError():
            return said
        case UnicodeDecodeError():
            return f"byte {error.start} is not UTF-8"
    if isinstance(error, RecursionError) or "recursion" in said:
        return "it is nested too deeply, hundreds of levels; send it flatter"
    if "digits" in said or "number out of range" in said:
        return f"it holds a number of more than {sys.get_int_max_str_digits()} digits; send it as a string"
    at = _AT.search(said)
    if at and "hex escape" in said:
        return f"a text ends within a character, with half of it, at {at.group()}; send whole characters"
    return at.group() if at else "it holds a number that JSON does not have, such as NaN or Infinity; leave it out"
