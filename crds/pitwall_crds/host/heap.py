"""Keeps Python's search for garbage short, so that nobody who makes objects makes a server stand still."""

import gc


def settle() -> None:
    """What is there now, a program with all that it imports, stays until its end and is never searched again: each
    search of it takes an event loop 60 ms, and a body of many small lists brings one about.

    A program that turned the search off while it imported, when nearly all that is made stays and a fifth of the time
    goes into finding no garbage, has it on from here. A last search would take 0.1 to 0.2 s and find less than 1 MiB.
    """
    gc.freeze()
    gc.enable()
