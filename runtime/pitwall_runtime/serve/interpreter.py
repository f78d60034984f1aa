"""Lets the answers of one process go on beside each other: the interpreter does one thing at a time."""

import sys
from typing import Final

TURN_SECONDS: Final = 0.0005
"""After so long a thread that computes lets another go on. Python's own 5 ms, at each of an answer's dozen steps on the
event loop, is what a question about one user's long film would cost the answers of all others."""


def share_interpreter() -> None:
    """Short turns for all threads."""
    sys.setswitchinterval(TURN_SECONDS)
