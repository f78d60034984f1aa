"""Says whether every reader of JSON can read a value: one flag that some cannot would cost them all the others too.

Python reads and writes half a character (`"\\ud800"`) and integers of thousands of digits. Evaluators in Go, Rust
or C++ refuse a whole configuration for one of them, and no answer in UTF-8 can hold the former.
"""

import json
import re
from typing import Any, Final

from pitwall_crds.reading.sent import has_huge_number

EXACT: Final = 2**53
"""Beyond, not every integer is a double, and JavaScript and Go read another one than was written."""

_LONG_NUMBER: Final = re.compile(r"(?<![0-9])[0-9]{300}")


def unreadable(value: Any) -> str | None:
    """Why some readers could not read a value; None where all can."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except UnicodeEncodeError:
        return "a text in it holds half of a character (a surrogate alone); write whole characters"
    except (ValueError, TypeError, RecursionError) as error:
        return f"it is not JSON: {error}"
    if _LONG_NUMBER.search(text) and has_huge_number(value):
        return "a number in it is beyond 1.8e308, the largest that JSON's readers have; write it as a text"
    return None


def is_exact(value: Any) -> bool:
    """Whether a value is no integer that some readers would take for another."""
    return not isinstance(value, int) or -EXACT <= value <= EXACT
