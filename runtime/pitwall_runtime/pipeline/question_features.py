"""Computes what the stages need for one question: scores, embeddings and token grids, only of the frames asked for."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.media import Embedded, Floats, FramePool
from pitwall_runtime.samplers.contract import Indices
from pitwall_runtime.stages.encode.pool import EncoderPool
from pitwall_runtime.stages.reduce import Grids
from pitwall_runtime.stores.embeddings.embed_cache import VideoEmbeddings
from pitwall_runtime.stores.files.lock import exclusive

_CHUNK_FRAMES = 128
"""Frames encoded between two writes to the cache: an interrupted question keeps what it paid for."""


@dataclass(slots=True)
class QuestionFeatures:
    """What a question's stages ask of the encoder and its cache, with the count of frames found and encoded."""

    pool: FramePool
    rows: VideoEmbeddings
    encoders: EncoderPool
    jpeg: Callable[[FramePool, int], bytes]
    lock: Path
    question: str
    arm: str = ""
    deadline: Deadline = field(default_factory=Deadline)
    limit_seconds: float = 600.0
    encode_seconds: float = 0.0
    misses: int = 0
    remembered: int = 0
    """Frames whose vectors this process has in memory."""

    brought: Counter[str] = field(default_factory=Counter)
    """Frames by the shared tier that had them, whether or not this machine had room to keep them."""

    _seen: set[int] = field(default_factory=set)
    _made: set[int] = field(default_factory=set)

    @property
    def hits(self) -> int:
        """Frames that were looked up and already there."""
        return len(self._seen) - self.misses

    def embeddings(self, indices: Indices | None = None) -> Floats:
        """Centred unit embeddings of the given frames, or of the whole pool; needs no others but the video's centre."""
        if indices is None:
            self.require(range(len(self.pool)))
            return self.rows.all_centred()
        rows = [int(index) for index in indices]
        self.require([*self.rows.centre_rows(), *rows])
        return self.rows.centred(rows)

    def scores(self, indices: Indices | None = None, query: str = "") -> Floats:
        """Relevance to the question, or to another text, of the given frames or of the whole pool, -1 to 1."""
        embeddings = self.embeddings(indices)
        vector = self._text_vector(query or self.question)
        whole: Floats = embeddings @ vector
        if not self._regions_compare:
            return whole
        # Where regions compare: the mean of the whole frame's cosine with the text and the best region's.
        best = self.rows.best_regions(vector, None if indices is None else [int(index) for index in indices])
        return np.asarray((whole + best) / 2, dtype=np.float32)

    @property
    def _regions_compare(self) -> bool:
        return self.encoders.encoder.shape.regions_compare

    def grids_of(self, indices: tuple[int, ...]) -> Grids:
        """Token grids of the given frames."""
        self.require(indices)
        return self.rows.grids_of(indices)

    def labels_of(self, indices: tuple[int, ...]) -> list[tuple[str, ...]]:
        """Class names of each of the given frames, likeliest first."""
        names = self.encoders.encoder.label_names
        rows = self.rows.labels_of(indices).tolist()
        return [tuple(names[number] for number in row if 0 <= number < len(names)) for row in rows]

    def require(self, indices: range | list[int] | tuple[int, ...]) -> None:
        """Make the rows of `indices` present; encodes those that no process has encoded yet."""
        fresh = set(indices) - self._seen
        self._seen |= fresh
        absent = self.rows.missing(fresh)
        self.remembered += self.rows.in_memory(fresh.difference(absent))
        if not absent:
            return
        started = time.perf_counter()
        self.deadline.preparing = True
        with exclusive(self.lock, limit_seconds=self.limit_seconds, deadline=self.deadline):
            # Bringing happens under the video's lock: whoever waits for it finds what was brought.
            self.brought.update(self.rows.bring(sorted(self.rows.missing(fresh)), self.deadline))
            missing = sorted(self.rows.missing(fresh))
            self.misses += len(missing)
            for start in range(0, len(missing), _CHUNK_FRAMES):
                self.deadline.check()
                chunk = missing[start : start + _CHUNK_FRAMES]
                embedded = self._encoded(chunk)
                self.rows.fill(chunk, embedded)
                self.rows.share(chunk, embedded, self.deadline)
                self._made.update(chunk)
        self.deadline.preparing = False
        self.encode_seconds += time.perf_counter() - started

    def provide(self, indices: range) -> None:
        """`require`, for other machines too: they are given what they lack of what was here already."""
        self.require(indices)
        here = [index for index in indices if index not in self._made]
        lacking = self.rows.shared.lacking(self.rows.place, here, self.deadline) if here else []
        for start in range(0, len(lacking), _CHUNK_FRAMES):
            chunk = lacking[start : start + _CHUNK_FRAMES]
            stored = Embedded(self.rows.vectors_of(chunk), self.rows.grids_of(chunk), self.rows.labels_of(chunk))
            self.rows.share(chunk, stored, self.deadline)

    def _encoded(self, indices: list[int]) -> Embedded:
        """A picture that is held stands in the pool at every instant; it is encoded once."""
        jpegs = [self.jpeg(self.pool, index) for index in indices]
        place = {jpeg: number for number, jpeg in enumerate(dict.fromkeys(jpegs))}
        made, rows = self.encoders.images(list(place), self.arm), [place[jpeg] for jpeg in jpegs]
        return Embedded(made.vectors[rows], made.grids[rows], made.labels[rows])

    def _text_vector(self, text: str) -> Floats:
        started = time.perf_counter()
        vector = self.encoders.text(text, self.arm)
        self.encode_seconds += time.perf_counter() - started
        return vector
