"""Keeps Python's search for garbage short, so that nobody who makes objects makes a server stand still."""

import gc


def settle() -> None:
    """What is there now, a program with all that it imports, stays until its end and is never searched again: each
    search of it takes an event loop 60 ms, and a body of many small lists brings one about."""
    gc.collect()
    gc.freeze()
