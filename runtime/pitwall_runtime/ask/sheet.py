"""Draws why: the score curve with its shots, where each sampler chose, and the frames themselves, in one PNG."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pitwall_runtime.media import Diagnostic, Floats, Shot, clock
from pitwall_runtime.samplers.contract import Seconds

WIDTH: Final = 1600
MARGIN: Final = 24
LEFT: Final = 120
"""Where the time axis begins: names and scores stand before it."""
CURVE_HEIGHT: Final = 200
LANE_HEIGHT: Final = 26
COLUMNS: Final = 8
GAP: Final = 8

INK, PALE, BAND, CURVE = "#222222", "#777777", "#eef1f4", "#8895a3"
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9")
"""Okabe and Ito's, which the colour-blind can tell apart."""


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One sampler's choice: its name, frames of the pool, and what it says of its reasons."""

    name: str
    indices: tuple[int, ...]
    diagnostics: Mapping[str, Diagnostic]


@dataclass(frozen=True, slots=True)
class SheetData:
    """What is drawn: N frames' times [N + 1, the last is the end], shots and scores [N], and up to six choices."""

    question: str
    edges_seconds: Seconds
    shots: Sequence[Shot]
    scores: Floats
    rows: Sequence[SheetRow]
    jpeg: Callable[[int], bytes]


def save_sheet(data: SheetData, target: Path) -> None:
    """Draw and save. Raises OSError if it cannot be written."""
    pictures = [[_picture(data.jpeg(index)) for index in row.indices] for row in data.rows]
    heights = [_row_height(images) for images in pictures]
    top = MARGIN + 64 + CURVE_HEIGHT + 30 + LANE_HEIGHT * len(data.rows) + 16
    image = Image.new("RGB", (WIDTH, top + sum(heights) + MARGIN), "white")
    sheet = _Sheet(image, data)
    sheet.title()
    sheet.curve()
    sheet.lanes()
    for number, images in enumerate(pictures):
        sheet.row(number, images, top)
        top += heights[number]
    image.save(target, "PNG")


def _picture(jpeg: bytes) -> Image.Image:
    """A thumbnail as wide as a column, and at most twice as high: what is narrower is squeezed."""
    image = Image.open(io.BytesIO(jpeg)).convert("RGB")
    width = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) // COLUMNS
    return image.resize((width, min(2 * width, max(1, image.height * width // image.width))))


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _row_height(images: Sequence[Image.Image]) -> int:
    lines = -(-len(images) // COLUMNS)
    return 40 + lines * (max((one.height for one in images), default=0) + 24 + GAP)


class _Sheet:
    """The drawing under way."""

    def __init__(self, image: Image.Image, data: SheetData) -> None:
        self._image, self._data = image, data
        self._draw = ImageDraw.Draw(image)
        self._top = MARGIN + 64
        self._bottom = self._top + CURVE_HEIGHT
        low, high = float(data.scores.min()), float(data.scores.max())
        self._low, self._span = low, max(high - low, 1e-9)

    def title(self) -> None:
        """The question, and how much there was to choose from."""
        data = self._data
        self._text((MARGIN, MARGIN), _cut(data.question, 110), size=26)
        counts = (_counted(len(data.scores), "frame"), _counted(len(data.shots), "shot"))
        whole = ", ".join((*counts, clock(float(data.edges_seconds[-1]))))
        key = "curve: relevance to the question; grey and white: one shot after the other"
        self._text((MARGIN, MARGIN + 36), f"{whole}; {key}", PALE, 15)

    def curve(self) -> None:
        """Shots as bands, the scores over time, a dot for every chosen frame, and the time axis."""
        data = self._data
        for number, shot in enumerate(data.shots):
            if number % 2 == 0:
                box = (self._x(shot.start), self._top, self._x(shot.end), self._bottom)
                self._draw.rectangle(box, fill=BAND)
        points = [(self._middle(index), self._y(index)) for index in range(len(data.scores))]
        if len(points) > 1:
            self._draw.line(points, fill=CURVE, width=2, joint="curve")
        for number, (row, colour) in enumerate(self._coloured()):
            radius = 5 + 3 * (len(data.rows) - 1 - number)  # a frame that several chose shows all their colours
            for index in row.indices:
                self._dot(self._middle(index), self._y(index), radius, colour)
        for value, y in ((self._low + self._span, self._top), (self._low, self._bottom)):
            self._text((LEFT - 12, y - 8), _score(value), PALE, 14, anchor="ra")
        self._axis()

    def lanes(self) -> None:
        """A line per sampler on the same axis, with a mark wherever it chose."""
        for number, (row, colour) in enumerate(self._coloured()):
            y = self._bottom + 34 + number * LANE_HEIGHT
            self._text((MARGIN, y), _cut(row.name, 12), colour, 15)
            self._draw.line((LEFT, y + 10, WIDTH - MARGIN, y + 10), fill=BAND, width=2)
            for index in row.indices:
                x = self._middle(index)
                self._draw.rectangle((x - 2, y + 1, x + 2, y + 19), fill=colour)

    def row(self, number: int, images: Sequence[Image.Image], top: int) -> None:
        """One sampler's frames with time and score; a ring marks those that another one chose too."""
        row, colour = self._data.rows[number], COLOURS[number % len(COLOURS)]
        others = {index for other in self._data.rows if other is not row for index in other.indices}
        shared = len(others & set(row.indices))
        also = f", {shared or 'none'} also chosen by another (ringed)" if len(self._data.rows) > 1 else ""
        self._text((MARGIN, top + 8), f"{_cut(row.name, 60)}: {_counted(len(row.indices), 'frame')}{also}", colour, 20)
        self._text((WIDTH - MARGIN, top + 12), _reasons(row.diagnostics), PALE, 14, anchor="ra")
        tall = max((one.height for one in images), default=0) + 24 + GAP
        for place, (index, image) in enumerate(zip(row.indices, images, strict=True)):
            line, column = divmod(place, COLUMNS)
            x, y = MARGIN + column * (image.width + GAP), top + 40 + line * tall
            self._image.paste(image, (x, y))
            self._draw.rectangle((x, y, x + image.width - 1, y + image.height - 1), outline=colour, width=3)
            label = f"{clock(float(self._data.edges_seconds[index]))}   {_score(float(self._data.scores[index]))}"
            self._text((x + 2, y + image.height + 4), label, INK, 15)
            if index in others:
                right, middle = x + image.width - 12, y + image.height + 12
                self._draw.ellipse((right - 6, middle - 6, right + 6, middle + 6), outline=INK, width=3)

    def _axis(self) -> None:
        self._draw.line((LEFT, self._bottom, WIDTH - MARGIN, self._bottom), fill=INK)
        edges = self._data.edges_seconds
        for seconds in _ticks(float(edges[0]), float(edges[-1])):
            x = self._at(seconds)
            self._draw.line((x, self._bottom, x, self._bottom + 6), fill=INK)
            self._text((x, self._bottom + 8), clock(seconds), PALE, 14, anchor="ma")

    def _coloured(self) -> Iterator[tuple[SheetRow, str]]:
        for number, row in enumerate(self._data.rows):
            yield row, COLOURS[number % len(COLOURS)]

    def _at(self, seconds: float) -> float:
        edges = self._data.edges_seconds
        share = (seconds - float(edges[0])) / max(float(edges[-1] - edges[0]), 1e-9)
        return LEFT + share * (WIDTH - MARGIN - LEFT)

    def _x(self, index: int) -> float:
        return self._at(float(self._data.edges_seconds[index]))

    def _middle(self, index: int) -> float:
        return (self._x(index) + self._x(index + 1)) / 2

    def _y(self, index: int) -> float:
        return self._bottom - (float(self._data.scores[index]) - self._low) / self._span * CURVE_HEIGHT

    def _dot(self, x: float, y: float, radius: int, colour: str) -> None:
        self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)

    def _text(self, at: tuple[float, float], words: str, colour: str = INK, size: int = 18, anchor: str = "la") -> None:
        self._draw.text(at, words, fill=colour, font=ImageFont.load_default(size=size), anchor=anchor)


def _ticks(first: float, last: float) -> Iterator[float]:
    """Round times, at most a dozen."""
    step = next((one for one in _STEPS if (last - first) / one <= 12), _STEPS[-1])
    yield from np.arange(np.ceil(first / step) * step, last + 1e-6, step).tolist()


_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200)


def _score(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}"  # adding 0 takes the sign from -0


def _reasons(diagnostics: Mapping[str, Diagnostic]) -> str:
    """Short ones in words: curves belong elsewhere."""
    said = [f"{name} {_shown(value)}" for name, value in diagnostics.items() if not isinstance(value, tuple)]
    return _cut(", ".join(said), 90)


def _shown(value: Diagnostic) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}…"
