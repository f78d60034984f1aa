"""Write what every room is for and what it imports into docs/architecture.md, and draw its picture."""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from rooms import PACKAGES, Room, read_rooms
from rooms_picture import DRAWN_FROM, digest, draw

BEGIN: Final = "<!-- rooms: written by scripts/architecture.py -->"
END: Final = "<!-- end of rooms -->"


def table(rooms: Iterable[Room]) -> str:
    """One row per room: what it is for, and what it imports."""
    rows = ["| room | is for | modules | imports |", "|---|---|---|---|"]
    for room in rooms:
        about = room.about.replace("|", "\\|")
        rows.append(f"| `{room.package}` / `{room.name}` | {about} | {room.modules} | {_imports(room)} |")
    return "\n".join(rows)


def _imports(room: Room) -> str:
    by_package: dict[str, list[str]] = defaultdict(list)
    for package, name in sorted(room.imports):
        by_package[package].append(name)
    own = [", ".join(by_package[room.package])] if room.package in by_package else []
    others = [f"*{package}:* {', '.join(by_package[package])}" for package in PACKAGES
              if package in by_package and package != room.package]  # fmt: skip
    return "; ".join(own + others) or "nothing of ours"


def with_table(page: str, rooms: Iterable[Room]) -> str:
    """The page with the table between its two marks written anew."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"the page must hold the lines {BEGIN!r} and {END!r}, between which the table is written")
    return f"{before}{BEGIN}\n{table(rooms)}\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Write the table, and the picture where what it shows has changed; what was written is said."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(__file__).parent.parent, help="the repository's folder")
    root = parser.parse_args(arguments).root
    rooms = read_rooms(root)
    page = root / "docs" / "architecture.md"
    written = with_table(page.read_text(), rooms)
    if written != page.read_text():
        page.write_text(written)
        print("wrote docs/architecture.md")
    picture = root / "docs" / "pictures" / "architecture.png"
    if _digest_in(picture) != digest(rooms):
        draw(rooms, picture)
        print("wrote docs/pictures/architecture.png")
    return 0


def _digest_in(picture: Path) -> str:
    """What the picture was drawn from; another version of the drawing library may write other bytes for the same."""
    if not picture.exists():
        return ""
    from PIL import Image

    with Image.open(picture) as image:
        return str(image.info.get(DRAWN_FROM, ""))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
