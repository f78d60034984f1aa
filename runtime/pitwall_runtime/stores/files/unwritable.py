"""Tells whether an error of the system says that a disk takes no more."""

import errno
from typing import Final

_TAKES_NO_MORE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
"""Full, or one's share of it is; and as Linux leaves a file system that it could not write to."""


def is_unwritable(error: OSError) -> bool:
    """Whether the disk is full, read-only or failing: what is on it may still be read, and what is not is made anew."""
    return error.errno in _TAKES_NO_MORE
