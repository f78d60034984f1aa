"""Tells whether an error of the system says that a disk takes no more."""

import errno
from typing import Final

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_TAKES_NO_MORE: Final = _FULL | {errno.EROFS, errno.EIO}
"""And as Linux leaves a file system that it could not write to."""


def is_full(error: OSError) -> bool:
    """Whether the disk, or one's share of it, is full: who deletes something makes room."""
    return error.errno in _FULL


def is_unwritable(error: OSError) -> bool:
    """Whether the disk is full, read-only or failing: what is on it may still be read, and what is not is made anew."""
    return error.errno in _TAKES_NO_MORE
