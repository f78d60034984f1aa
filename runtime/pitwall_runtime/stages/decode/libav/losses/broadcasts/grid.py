"""Tells where bytes of an MPEG transport stream are missing or too many: its packets are all of one length."""

import os
from typing import BinaryIO, Final

_LENGTHS: Final = (188, 192, 204)
_SYNC: Final = b"\x47"
_STAMP_BYTES: Final = 4
"""Before each packet of 192 bytes."""
_LOOKED_AT: Final = 4


class Grid:
    """Follows the places of a stream's packets."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._length = self._at = 0

    def lead_to(self, place: int) -> bool:
        """Whether whole packets lie between the latest place and this one."""
        self._length = self._length or next((one for one in _LENGTHS if self._fits(place, one)), 0)
        distance, self._at = place - self._at, place
        return distance == place or not self._length or distance % self._length == 0

    def lead_to_end(self) -> bool:
        """A last packet that is cut off holds no picture's end."""
        return True

    def _fits(self, place: int, length: int) -> bool:
        return any(
            all(
                os.pread(self._file.fileno(), 1, place + begin + length * number) in (_SYNC, b"")
                for number in range(_LOOKED_AT)
            )
            for begin in (0, _STAMP_BYTES)
        )
