"""Writes and reads the tables of contents of frame pools, and remembers those that were used last.

While the interpreter reads a value nobody else's answer goes on. So a table has a line for each of its values, and of
long films few are remembered: the garbage collector looks at all that is.
"""

import json
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from pitwall_runtime.damage import told
from pitwall_runtime.media import Caption, Damage, FramePool, PoolSpec, Shot

MOST_TABLES: Final = 64
MOST_ENTRIES: Final = 1 << 19
"""Frames, shots and captions of all tables together: of 64 films of an hour and a half."""

FileVersion = tuple[Path, int, int, int]
"""Path, inode, size and modification time."""


@dataclass(frozen=True, slots=True)
class PoolTable:
    """A pool's table of contents. The JPEG of frame i is picture p = pictures[i], at bytes [edges[p], edges[p + 1]).
    Its CRC-32 is checks[p]."""

    pool: FramePool
    pictures: Sequence[int]
    edges: Sequence[int]
    checks: Sequence[int]

    @property
    def entries(self) -> int:
        """How much there is to remember."""
        return len(self.pool) + len(self.pool.shots) + len(self.pool.subtitles)


class Tables:
    """The tables that were used last, so many and so much of them."""

    def __init__(self, most_entries: int = MOST_ENTRIES) -> None:
        self._most_entries = most_entries
        self._known: OrderedDict[FileVersion, PoolTable] = OrderedDict()
        self._guard = threading.Lock()
        self.entries = 0

    def read(self, path: Path, video_hash: str, spec: PoolSpec) -> PoolTable:
        """The table in a file; read again when the file is another one. Raises OSError, ValueError and the like."""
        status = path.stat()
        version = path, status.st_ino, status.st_size, status.st_mtime_ns
        with self._guard:
            known = self._known.get(version)
            if known:
                self._known.move_to_end(version)
                return known
        table = _table(_contents(path.read_text()), video_hash, spec)
        self._keep(version, table)
        return table

    def _keep(self, version: FileVersion, table: PoolTable) -> None:
        """The latest one always, whatever its size: a question looks at it several times."""
        with self._guard:
            if version in self._known:
                return
            self._known[version] = table
            self.entries += table.entries
            while len(self._known) > 1 and (len(self._known) > MOST_TABLES or self.entries > self._most_entries):
                self.entries -= self._known.popitem(last=False)[1].entries


def write(path: Path, table: PoolTable) -> None:
    """Write the table so that it stays."""
    pool = table.pool
    contents = {
        "of": [pool.video_hash, pool.spec.key],
        "timeBase": [pool.time_base.numerator, pool.time_base.denominator],
        "pts": pool.pts,
        "endPts": pool.end_pts,
        "shots": [astuple(shot) for shot in pool.shots],
        "damage": [_written(stretch) for stretch in pool.damage],
        "keyFrames": pool.key_frames,
        "subtitles": [astuple(caption) for caption in pool.subtitles],
        "pictures": table.pictures,
        "edges": table.edges,
        "checks": table.checks,
    }
    lines = (f"{json.dumps(name)}: {json.dumps(value)}" for name, value in contents.items())
    with path.open("w") as file:
        file.write("{\n" + ",\n".join(lines) + "\n}")
        file.flush()
        os.fsync(file.fileno())


def _written(stretch: Damage) -> Sequence[float]:
    """One that is not joined as earlier versions wrote it, which read no other."""
    return astuple(stretch) if stretch.stretches > 1 else (stretch.start_seconds, stretch.end_seconds)


def _contents(text: str) -> dict[str, Any]:
    """A table of an older version is one line."""
    first, *lines = text.split("\n")
    if not lines:
        return dict(json.loads(first))
    whole: dict[str, Any] = {}
    for line in lines[:-1]:
        whole |= json.loads(f"{{{line.removesuffix(',')}}}")
    return whole


def _table(contents: dict[str, Any], video_hash: str, spec: PoolSpec) -> PoolTable:
    # A table that an older version wrote lacks what it did not look for: it counts as damaged, and is made anew.
    if contents["of"] != [video_hash, spec.key]:
        raise ValueError(f"this is the pool {contents['of']} in the place of {[video_hash, spec.key]}")
    pool = FramePool(
        video_hash=video_hash,
        spec=spec,
        time_base=Fraction(*contents["timeBase"]),
        pts=tuple(contents["pts"]),
        end_pts=contents["endPts"],
        shots=tuple(Shot(*shot) for shot in contents["shots"]),
        damage=told([Damage(*stretch) for stretch in contents["damage"]]),  # an older version told every one
        key_frames=tuple(contents["keyFrames"]),
        subtitles=tuple(Caption(*caption) for caption in contents["subtitles"]),
    )
    pictures, edges, checks = (tuple(contents[name]) for name in ("pictures", "edges", "checks"))
    if len(edges) != len(checks) + 1:
        raise ValueError(f"{len(checks)} checks of {len(edges) - 1} pictures")
    return PoolTable(pool, pictures, edges, checks)
