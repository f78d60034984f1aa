"""Tells whether two volumes hold the same files, whatever they are called.

Pure: no clock, chance or I/O.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any


def is_of(volume: Mapping[str, Any], source: Mapping[str, Any]) -> bool:
    """Whether a volume of a pod gives files of this source: the same claim, the same path of the node or one above or
    below it. A template can name no other kind of volume that two pods share."""
    claims = [str((one.get("persistentVolumeClaim") or {}).get("claimName") or "") for one in (volume, source)]
    if claims[0] and claims[0] == claims[1]:
        return True
    paths = [str((one.get("hostPath") or {}).get("path") or "") for one in (volume, source)]
    if not all(paths):
        return False
    ours, theirs = (PurePosixPath("/", path) for path in paths)
    return ours.is_relative_to(theirs) or theirs.is_relative_to(ours)
