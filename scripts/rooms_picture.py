"""The picture of the rooms: a panel per package, a box per room, an arrow from who imports to what is imported."""

import hashlib
import io
import json
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rooms import PACKAGES, Room, essential, levels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DRAWN_FROM: Final = "Drawn from"
"""The key in the picture's metadata under which the digest of what it shows is kept."""
COMMON: Final = 5
"""A room that so many others of its package import is said to be, in place of that many arrows."""


@dataclass(frozen=True, slots=True)
class PicturePanel:
    """Where a package stands in the picture: its left edge, how many rooms fit into a row, what it stands below."""

    x: float
    columns: int
    below: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PictureFrame:
    """The outline of a package's panel; `y` is its upper edge."""

    x: float
    y: float
    width: float
    height: float

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.y - self.height

    def spans(self, x: float) -> bool:
        """Whether the panel stands at this distance from the left."""
        return self.x < x < self.x + self.width


BOX_WIDTH: Final = 2.3
BOX_HEIGHT: Final = 1.12
STEP_X: Final = BOX_WIDTH + 0.3
STEP_Y: Final = BOX_HEIGHT + 0.42
HEAD: Final = 0.75
PAD: Final = 0.3
COLORS: Final = {
    "operator": "#1f6f8b",
    "gateway": "#7a5195",
    "runtime": "#b5541c",
    "dashboards": "#5c6b73",
    "flags": "#2f7d4f",
    "crds": "#8a6d1d",
}
BROAD: Final = "simple,head_width=1.4,tail_width=0.6,head_length=1"
STYLE: Final = "round,pad=0,rounding_size=0.12"
PANELS: Final = {
    "operator": PicturePanel(0.0, 2),
    "gateway": PicturePanel(7.1, 3),
    "runtime": PicturePanel(15.6, 3),
    "flags": PicturePanel(6.2, 3, ("gateway",)),
    "dashboards": PicturePanel(0.0, 1, ("operator",)),
    "crds": PicturePanel(0.0, 9, ("runtime", "flags", "dashboards")),
}
"""Each after what it stands below."""
GAP: Final = 0.7
WIDTH: Final = 24.3
MARGIN: Final = 0.3


def places(rooms: Mapping[str, Room], panel: PicturePanel, top: float) -> tuple[dict[str, tuple[float, float]], float]:
    """The corner above left of each room's box, highest level first, and the height of the whole panel."""
    by_level: dict[int, list[str]] = defaultdict(list)
    for name, level in levels(rooms).items():
        by_level[level].append(name)
    found, row = {}, 0
    for level in sorted(by_level, reverse=True):
        names = sorted(by_level[level])
        for start in range(0, len(names), panel.columns):
            line = names[start : start + panel.columns]
            shift = (panel.columns - len(line)) / 2
            for column, name in enumerate(line):
                x = panel.x + PAD + (column + shift) * STEP_X
                found[name] = (x, top - HEAD - row * STEP_Y)
            row += 1
    return found, HEAD + row * STEP_Y - (STEP_Y - BOX_HEIGHT) + PAD


def draw(rooms: list[Room], picture: Path) -> None:
    """Write the picture: a panel per package, a box per room, an arrow from who imports to what is imported."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    plt.rcParams.update({"font.family": "DejaVu Sans", "path.simplify": False})
    figure = plt.figure(dpi=72)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    frames: dict[str, PictureFrame] = {}
    for package, panel in PANELS.items():
        own = {room.name: room for room in rooms if room.package == package}
        top = min((frames[above].bottom - GAP for above in panel.below), default=0.0)
        frames[package] = _draw_package(axes, package, own, top)
    _draw_between(axes, frames, rooms)
    bottom = min(frame.bottom for frame in frames.values()) - MARGIN
    figure.set_size_inches(WIDTH, MARGIN - bottom)
    axes.set_xlim(-MARGIN, WIDTH - MARGIN)
    axes.set_ylim(bottom, MARGIN)
    picture.parent.mkdir(parents=True, exist_ok=True)
    drawn = io.BytesIO()
    figure.savefig(drawn)
    plt.close(figure)
    _save(drawn, picture, digest(rooms))


def _save(drawn: io.BytesIO, picture: Path, drawn_from: str) -> None:
    """Few colors need a third of the bytes."""
    from PIL import Image, PngImagePlugin

    about = PngImagePlugin.PngInfo()
    about.add_text(DRAWN_FROM, drawn_from)
    with Image.open(drawn) as image:
        image.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(picture, pnginfo=about, optimize=True)


def _draw_package(axes: "Axes", package: str, rooms: Mapping[str, Room], top: float) -> PictureFrame:
    """One panel with its rooms."""
    from matplotlib.patches import FancyBboxPatch

    panel, color = PANELS[package], COLORS[package]
    found, height = places(rooms, panel, top)
    width = 2 * PAD + panel.columns * STEP_X - (STEP_X - BOX_WIDTH)
    corner = (panel.x, top - height)
    axes.add_patch(FancyBboxPatch(corner, width, height, boxstyle=STYLE, fc=color + "14", ec=color, lw=1.5))
    axes.text(panel.x + PAD, top - 0.36, f"{package}/", fontsize=19, weight="bold", color=color, va="center")
    for name, other in _arrows(rooms, package):
        _draw_arrow(axes, found[name], found[other], color)
    notes = _noted(rooms, package)
    for name, corner in found.items():
        note = f"imported by {notes[name]} rooms here" if name in notes else ""
        _draw_room(axes, rooms[name], corner, color, note)
    return PictureFrame(panel.x, top, width, height)


def _noted(rooms: Mapping[str, Room], package: str) -> dict[str, int]:
    """By how many rooms of its package a common room is imported."""
    importers = Counter(name for room in rooms.values() for other, name in sorted(room.imports) if other == package)
    return {name: importers[name] for name in rooms if importers[name] >= COMMON}


def _arrows(rooms: Mapping[str, Room], package: str) -> list[tuple[str, str]]:
    """The arrows of a panel: those that do not follow from others, and not to common rooms."""
    noted = _noted(rooms, package)
    return [(name, other) for name, other in essential(rooms) if other not in noted]


def _pairs(rooms: Iterable[Room]) -> list[tuple[str, str]]:
    """Which package imports which."""
    return sorted({(room.package, package) for room in rooms for package, _ in room.imports if package != room.package})


def _draw_room(axes: "Axes", room: Room, corner: tuple[float, float], color: str, note: str) -> None:
    """One box: the room's name, what it is for, and a note above it where arrows were left out."""
    from matplotlib.patches import FancyBboxPatch

    x, y = corner
    middle, below = x + BOX_WIDTH / 2, (x, y - BOX_HEIGHT)
    axes.add_patch(FancyBboxPatch(below, BOX_WIDTH, BOX_HEIGHT, boxstyle=STYLE, fc="white", ec=color, lw=1.2, zorder=3))
    texts = {"ha": "center", "va": "center", "zorder": 4}
    axes.text(middle, y - 0.2, room.name, fontsize=13, weight="bold", **texts)
    about = "\n".join(textwrap.wrap(room.about.replace("`", ""), 30, max_lines=4, placeholder=" …"))
    axes.text(middle, y - 0.71, about, fontsize=8.5, color="#333333", linespacing=1.15, **texts)
    axes.text(middle, y + 0.13, note, fontsize=8.5, style="italic", color=color, **texts)


def _draw_arrow(axes: "Axes", start: tuple[float, float], end: tuple[float, float], color: str) -> None:
    """From the lower edge of one box to the upper edge of another; it runs behind the boxes between."""
    (x, y), (to_x, to_y) = start, end
    look = {"arrowstyle": "-|>", "color": color, "lw": 1.4, "shrinkA": 0, "shrinkB": 0, "alpha": 0.85}
    begin = (x + BOX_WIDTH / 2, y - BOX_HEIGHT)
    axes.annotate("", xy=(to_x + BOX_WIDTH / 2, to_y), xytext=begin, zorder=2, arrowprops=look)


def _draw_between(axes: "Axes", frames: Mapping[str, PictureFrame], rooms: list[Room]) -> None:
    """A broad arrow from each package to each that it imports."""
    for upper, lower in _pairs(rooms):
        others = [frame for name, frame in frames.items() if name not in (upper, lower)]
        start, end = _ends(frames[upper], frames[lower], others)
        look = {"arrowstyle": BROAD, "fc": COLORS[upper], "ec": "white", "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", xy=end, xytext=start, zorder=5, arrowprops=look)


def _ends(
    upper: PictureFrame, lower: PictureFrame, others: Iterable[PictureFrame]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where an arrow begins and ends: straight down where nothing stands between, else to the side."""
    steps = [upper.x + at * 0.1 for at in range(2, int(upper.width * 10) - 1)]
    free = [
        x
        for x in steps
        if lower.spans(x) and not any(other.spans(x) and upper.bottom > other.y > lower.y for other in others)
    ]
    if free and upper.bottom > lower.y:
        x = free[len(free) // 2]
        return (x, upper.bottom), (x, lower.y)
    y = (max(upper.bottom, lower.bottom) + min(upper.y, lower.y)) / 2
    return (
        ((upper.x + upper.width, y), (lower.x, y)) if upper.x < lower.x else ((upper.x, y), (lower.x + lower.width, y))
    )


def digest(rooms: list[Room]) -> str:
    """Stands for everything that the picture shows, and for how it is drawn."""
    shown: list[object] = [_pairs(rooms), [[*room.key, room.about] for room in rooms]]
    for package in PACKAGES:
        own = {room.name: room for room in rooms if room.package == package}
        shown += [levels(own), _arrows(own, package), _noted(own, package)]
    return hashlib.sha256(json.dumps(shown).encode() + Path(__file__).read_bytes()).hexdigest()
