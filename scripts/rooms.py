"""Rooms: the folders and single modules of every package, and what they import, read from their source."""

import ast
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PACKAGES: Final = ("operator", "gateway", "runtime", "dashboards", "flags", "crds")
"""Folder `x/` holds the package `pitwall_x`. Those who import come before those who are imported."""


@dataclass(frozen=True, slots=True)
class Room:
    """A folder of modules directly in a package, or a single module there."""

    package: str
    name: str
    modules: int
    about: str
    imports: frozenset[tuple[str, str]]

    @property
    def key(self) -> tuple[str, str]:
        """Package and room."""
        return self.package, self.name


def read_rooms(root: Path) -> list[Room]:
    """Every room of every package, in the order of PACKAGES and then by name."""
    places = {package: _places(root / package / f"pitwall_{package}") for package in PACKAGES}
    rooms = {(package, place.stem) for package in PACKAGES for place in places[package]}
    return [_room(package, place, rooms) for package in PACKAGES for place in places[package]]


def _places(folder: Path) -> list[Path]:
    """The folders and single modules of a package; a package without folders is one room."""
    inside = [place for place in sorted(folder.iterdir()) if not place.name.startswith("__init__")]
    folders = [place for place in inside if (place / "__init__.py").exists()]
    return folders + [place for place in inside if place.suffix == ".py"] if folders else [folder]


def _room(package: str, place: Path, rooms: AbstractSet[tuple[str, str]]) -> Room:
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
    targets = {target for file in files for target in _targets(file)}
    folded = {target if target in rooms else (target[0], f"pitwall_{target[0]}") for target in targets}
    return Room(
        package,
        place.stem,
        modules=sum(file.name != "__init__.py" for file in files),
        about=_about(place / "__init__.py" if place.is_dir() else place),
        imports=frozenset(folded & rooms - {(package, place.stem)}),
    )


def _about(file: Path) -> str:
    """The first sentence of a module's docstring."""
    text = " ".join((ast.get_docstring(ast.parse(file.read_text())) or "").split("\n\n")[0].split())
    return text.split(". ")[0].rstrip(".")


def _targets(file: Path) -> Iterator[tuple[str, str]]:
    """The rooms of ours that a file imports, also those that it imports only when they are needed."""
    for node in ast.walk(ast.parse(file.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for package, *rest in (name.split(".") for name in names):
            if package.removeprefix("pitwall_") in PACKAGES and rest:
                yield package.removeprefix("pitwall_"), rest[0]


def levels(rooms: Mapping[str, Room]) -> dict[str, int]:
    """How high a room stands in its package: one above the highest room that it imports. Raises on a circle."""
    known: dict[str, int] = {}

    def level(name: str, above: tuple[str, ...]) -> int:
        if name in above:
            raise SystemExit(f"rooms import each other in a circle: {' → '.join((*above, name))}")
        if name not in known:
            below = [level(other, (*above, name)) for other in _own(rooms[name], rooms)]
            known[name] = 1 + max(below, default=-1)
        return known[name]

    for name in rooms:
        level(name, ())
    return known


def _own(room: Room, rooms: Mapping[str, Room]) -> list[str]:
    """The rooms of its own package that a room imports."""
    return sorted(name for package, name in room.imports if package == room.package and name in rooms)


def essential(rooms: Mapping[str, Room]) -> list[tuple[str, str]]:
    """The arrows within a package, without those that follow from two others."""
    reach: dict[str, set[str]] = {}
    for name in sorted(rooms, key=levels(rooms).__getitem__):
        below = _own(rooms[name], rooms)
        reach[name] = set(below).union(*(reach[other] for other in below))
    return [
        (name, other)
        for name in rooms
        for other in _own(rooms[name], rooms)
        if not any(other in reach[between] for between in _own(rooms[name], rooms))
    ]
