"""Keeps standard output for what a command says: what plug-ins write there goes to standard error."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept_aside() -> Iterator[None]:
    """Inside, file descriptor 1 is standard error's; Python's own print goes there, too."""
    printed, sys.stdout = sys.stdout, sys.stderr
    printed.flush()
    own = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(own, 1)
        os.close(own)
        sys.stdout = printed
