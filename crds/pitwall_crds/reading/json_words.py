"""Says in words why bytes are no JSON that can be read, whatever Python's parser says of itself."""

import json
import sys


def json_fault(error: ValueError | RecursionError) -> str:
    """What of it cannot be read, the limit, and what to send instead."""
    match error:
        case json.JSONDecodeError():
            return str(error)
        case UnicodeDecodeError():
            return f"byte {error.start} is not UTF-8"
        case RecursionError():
            return "it is nested too deeply, hundreds of levels; send it flatter"
        case _ if "digits" in str(error):
            return f"it holds a number of more than {sys.get_int_max_str_digits()} digits; send it as a string"
        case _:
            return "it holds a number that JSON does not have, such as NaN or Infinity; leave it out"
