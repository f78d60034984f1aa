"""Caches embeddings of pool frames on disk, shared by all processes, and what is asked often in memory.

One folder per (video, pool, encoder) with three arrays, one row per pool frame (the pool lists each row's pts), and a
byte per row that says whether it is filled; it is written last. Writers hold the video's lock. Rows that the disk has
no room for live in memory, for as long as a question needs them: that costs time, never an answer.
"""

import logging
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import StorageFullError, UnavailableError
from pitwall_runtime.media import Embedded, EmbeddingShape, Floats, FramePool
from pitwall_runtime.stores.embeddings.hot import HotArrays
from pitwall_runtime.stores.embeddings.packing import packed, unpacked
from pitwall_runtime.stores.embeddings.soundness import finite
from pitwall_runtime.stores.files.eviction import LEASE, Quota
from pitwall_runtime.stores.files.lock import held
from pitwall_runtime.stores.files.row_folder import RowFolder, layout
from pitwall_runtime.stores.files.unwritable import is_unwritable
from pitwall_runtime.stores.network.patience import worth
from pitwall_runtime.stores.network.shared import Shared

log = logging.getLogger(__name__)

HOT_BYTES: Final = 1 << 30
"""Of embeddings in memory, where the one who opens the cache says nothing."""

_CENTRE_FRAMES: Final = 64
_BLOCK_BYTES: Final = 32 << 20
"""Of frames' regions that are computed together; all of a long film's are gigabytes."""

_SETTLE_SECONDS: Final = 60.0
_TRIES: Final = 5


@dataclass(slots=True)
class VideoEmbeddings:
    """One video's rows under one encoder, and what was computed from them. `folder` is None where the disk is full."""

    count: int
    shape: EmbeddingShape
    folder: RowFolder | None
    hot: HotArrays
    key: str
    grow: Callable[[int], None]
    shared: Shared = field(default_factory=Shared)
    place: str = ""
    _spilled: dict[int, Embedded] = field(default_factory=dict)

    def missing(self, rows: Iterable[int]) -> list[int]:
        """Those of `rows` that nobody has filled yet."""
        wanted = list(rows)
        if self.folder is None:
            return [row for row in wanted if row not in self._spilled]
        filled = self.folder.filled() if wanted else np.zeros(0, np.uint8)
        unsound = self._unsound([row for row in wanted if filled[row] and row not in self._spilled])
        return [row for row in wanted if row not in self._spilled and (not filled[row] or row in unsound)]

    def _unsound(self, rows: list[int]) -> set[int]:
        """Those of stored rows whose vectors are not finite. Each row is looked at once, while memory lasts."""
        seen = self.hot.get((self.key, "sound"), lambda: np.zeros(self.count, np.float32))
        new = [row for row in rows if not seen[row]]
        if not new:
            return set()
        sound = finite(self.vectors_of(new))
        seen[np.asarray(new)[sound]] = 1
        if not sound.all():
            _tell(self.place, "disk")
        return set(np.asarray(new)[~sound].tolist())

    def in_memory(self, rows: Collection[int]) -> int:
        """How many of `rows` need no disk: all, where the whole video's are kept in memory."""
        if self.hot.find((self.key, "frames")) is not None:
            return len(rows)
        return sum(row in self._spilled for row in rows)

    def fill(self, rows: list[int], embedded: Embedded) -> None:
        """Store rows; they count as present only once they are whole. A full disk leaves them in memory."""
        try:
            self._write(rows, embedded)
        except (StorageFullError, OSError) as error:
            if isinstance(error, OSError) and not is_unwritable(error):
                raise
            for place, row in enumerate(rows):
                one = slice(place, place + 1)
                self._spilled[row] = Embedded(embedded.vectors[one], embedded.grids[one], embedded.labels[one])

    def bring(self, rows: list[int], deadline: Deadline | None = None) -> dict[str, int]:
        """Fill those of `rows` that another machine has shared; how many each tier had. Costs nothing without tiers.

        What a row's bytes cannot be, too few or no finite numbers, counts as not there.
        """
        found: Counter[str] = Counter()
        for part in self.shared.read_rows(self.place, rows, deadline):
            found.update({tier: self._taken(tier, values) for tier, values in part.items()})
        return found

    def _taken(self, tier: str, values: Mapping[int, bytes]) -> int:
        """Fill what is sound of a tier's rows; how many they are."""
        rows, embedded, unsound = unpacked(values, self.shape)
        if unsound:
            _tell(self.place, tier)
        if rows:
            self.fill(rows, embedded)
        return len(rows)

    def share(self, rows: list[int], embedded: Embedded, deadline: Deadline | None = None) -> None:
        """Give new rows to the other machines, if there are any."""
        if self.shared.tiers:
            self.shared.write_rows(self.place, packed(rows, embedded), deadline)

    def _write(self, rows: list[int], embedded: Embedded) -> None:
        if self.folder is None:
            raise StorageFullError("there is no room for the folder itself")
        self.grow(embedded.vectors.nbytes + embedded.grids.nbytes + embedded.labels.nbytes)
        self.folder.vectors.write(rows, embedded.vectors)
        self.folder.grids.write(rows, embedded.grids)
        self.folder.labels.write(rows, embedded.labels)
        self.folder.present.write(rows, np.ones(len(rows), np.uint8))

    def vectors_of(self, rows: Sequence[int]) -> Floats:
        """[rows, D] as the encoder made them."""
        return self._read("vectors", rows)

    def grids_of(self, rows: Sequence[int]) -> npt.NDArray[np.float16]:
        """[rows, side, side, D] as the encoder made them. Raises UnavailableError where a disk holds others instead."""
        grids = self._read("grids", rows)
        damaged = [row for row, sound in zip(rows, finite(grids), strict=True) if not sound]
        if damaged:
            self._forget(damaged)
            raise UnavailableError("stored numbers of this video are damaged; ask again, and they are made anew")
        return grids

    def _forget(self, rows: list[int]) -> None:
        _tell(self.place, "disk")
        for row in rows:
            self._spilled.pop(row, None)
        if self.folder is not None:
            self.folder.present.write(rows, np.zeros(len(rows), np.uint8))

    def labels_of(self, rows: Sequence[int]) -> npt.NDArray[np.int16]:
        """[rows, L] as the encoder made them."""
        return self._read("labels", rows)

    def _read(self, name: str, rows: Sequence[int]) -> npt.NDArray[Any]:
        if self.folder is not None and not self._spilled:
            return self.folder.files()[name].read(rows)
        size, kind = layout(len(rows), self.shape)[name]
        found = np.zeros(size, kind)
        for place, row in enumerate(rows):
            if row in self._spilled:
                found[place] = getattr(self._spilled[row], name)[0]
            elif self.folder is not None:
                found[place] = self.folder.files()[name].read([row])[0]
        return found

    def centre_rows(self) -> list[int]:
        """The evenly spread rows whose mean is the video's centre; the same ones for every question and sampler."""
        spread = np.linspace(0, self.count - 1, min(self.count, _CENTRE_FRAMES)).astype(int)
        return sorted({int(row) for row in spread})

    def centred(self, rows: Sequence[int]) -> Floats:
        """Unit vectors of `rows` after subtracting the video's centre: what sets a frame apart within its video."""
        whole = self.hot.find((self.key, "frames"))
        if whole is not None:
            return whole[list(rows)]
        return self._around_centre(rows)

    def _around_centre(self, rows: Sequence[int]) -> Floats:
        centre = self.hot.get((self.key, "centre"), lambda: self.vectors_of(self.centre_rows()).mean(0))
        return _unit(self.vectors_of(rows) - centre)

    def centred_regions(self, rows: Sequence[int]) -> Floats:
        """[rows, regions, D]: the same for the regions of each frame, around the regions' own centre."""
        centre = self.hot.get((self.key, "region centre"), self._region_centre)
        regions = self.grids_of(rows).astype(np.float32) - centre
        return _unit(regions.reshape(len(rows), -1, regions.shape[-1]))

    def _region_centre(self) -> Floats:
        centre: Floats = self.grids_of(self.centre_rows()).astype(np.float32).mean((0, 1, 2))
        return centre

    def all_centred(self) -> Floats:
        """`centred` of every row, kept in memory while there is room. Every row must be present."""
        return self.hot.get((self.key, "frames"), lambda: self._around_centre(range(self.count)))

    def best_regions(self, vector: Floats, rows: Sequence[int] | None = None) -> Floats:
        """Each frame's best cosine of a region with a unit `vector`, of the given rows or of all (all present then)."""
        frames = max(1, _BLOCK_BYTES // (4 * self.shape.side**2 * self.shape.dimension))
        if rows is not None:
            blocks = [rows[start : start + frames] for start in range(0, len(rows), frames)] or [rows]
            return np.concatenate([_best(self.centred_regions(block), vector) for block in blocks])
        starts = range(0, self.count, frames)
        return np.concatenate([_best(self._region_block(start, start + frames), vector) for start in starts])

    def _region_block(self, start: int, end: int) -> Floats:
        rows = range(start, min(end, self.count))
        return self.hot.get((self.key, "regions", start), lambda: self.centred_regions(rows))


class EmbedCache:
    """Opens videos' embeddings, creating empty ones. `hot_bytes` bounds what all of them hold in memory together."""

    def __init__(
        self, root: Path, quota: Quota | None = None, *, hot_bytes: int = HOT_BYTES, shared: Shared | None = None
    ) -> None:
        self._root, self._shared_stores = root, shared or Shared()
        self._quota = quota or Quota(root.parent)
        self.hot = HotArrays(hot_bytes)
        self._open: dict[Path, tuple[VideoEmbeddings, int]] = {}
        self._guard = threading.Lock()

    def settle(self, deadline: Deadline) -> None:
        """Wait until the other machines can find what was made here, for a part of the time."""
        self._shared_stores.keeper.settle(worth(deadline, _SETTLE_SECONDS))

    def make_room(self, deadline: Deadline) -> None:
        """Wait until so much of what was made here is sent that the next step will be, too; Keeper says how long."""
        self._shared_stores.keeper.make_room(deadline)

    @contextmanager
    def opened(self, pool: FramePool, encoder_key: str, shape: EmbeddingShape) -> Iterator[VideoEmbeddings]:
        """The rows of one video under one encoder, kept from eviction while the `with` lasts; shared by its users."""
        path = self._root / pool.video_hash / pool.spec.key / encoder_key
        with ExitStack() as stack:
            folder = self._held(path, len(pool), shape, stack)
            yield stack.enter_context(self._shared(path, len(pool), shape, folder))

    @contextmanager
    def _shared(
        self, path: Path, count: int, shape: EmbeddingShape, folder: RowFolder | None
    ) -> Iterator[VideoEmbeddings]:
        with self._guard:
            known, users = self._open.get(path, (None, 0))
            place = path.relative_to(self._root).as_posix()
            rows = known or VideoEmbeddings(
                count, shape, folder, self.hot, str(path), self._quota.grow, self._shared_stores, place
            )
            self._open[path] = rows, users + 1
        try:
            yield rows
        finally:
            with self._guard:
                rows, users = self._open[path]
                if users > 1:
                    self._open[path] = rows, users - 1
                else:
                    del self._open[path]

    def _held(self, path: Path, count: int, shape: EmbeddingShape, stack: ExitStack) -> RowFolder | None:
        """The folder, made anew where it is missing or damaged; None where the disk has no room for it."""
        for _ in range(_TRIES):
            try:
                with ExitStack() as attempt:
                    attempt.enter_context(held(path / LEASE))
                    folder = RowFolder.opened(path)
                    if folder.fits(count, shape):
                        stack.push(attempt.pop_all())
                        return folder
                shutil.rmtree(path, ignore_errors=True)
            except ValueError:
                shutil.rmtree(path, ignore_errors=True)
            except (FileNotFoundError, NotADirectoryError):
                pass
            try:
                RowFolder.create(path, count, shape)
            except OSError as error:
                if not self._quota.make_room(error):
                    raise
        return None


@lru_cache(maxsize=1024)
def _tell(place: str, tier: str) -> None:
    """A line in the log, once for each place: whoever reads such rows again would repeat it."""
    log.warning("tier %s holds rows of %s that are no finite numbers; they count as missing", tier, place)


def _best(regions: Floats, vector: Floats) -> Floats:
    best: Floats = (regions @ vector).max(axis=1)
    return best


def _unit(rows: Floats) -> Floats:
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    unit: Floats = (rows / np.maximum(norms, 1e-9)).astype(np.float32)
    return unit
