"""The picture of the rooms is drawn from what files import, and shows each dependency once."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def rooms() -> ModuleType:
    sys.path.insert(0, str(SCRIPTS))
    try:
        return importlib.import_module("rooms")
    finally:
        sys.path.remove(str(SCRIPTS))


@pytest.fixture(scope="module")
def architecture(rooms: ModuleType) -> ModuleType:
    sys.path.insert(0, str(SCRIPTS))
    try:
        return importlib.import_module("architecture")
    finally:
        sys.path.remove(str(SCRIPTS))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Packages as in the repository, all empty but two of them."""
    files = {
        "operator/pitwall_operator/cli/__init__.py": '"""Commands. More words."""\n',
        "operator/pitwall_operator/cli/app.py": "def main():\n    from pitwall_operator.turn import turn\n",
        "operator/pitwall_operator/turn/__init__.py": '"""Turns."""\n',
        "operator/pitwall_operator/turn/turn.py": "import pitwall_crds.names\nimport json\n",
        "crds/pitwall_crds/names.py": '"""Names."""\n',
        "crds/pitwall_crds/host/__init__.py": '"""Host."""\n',
    }
    for package in ("operator", "gateway", "runtime", "dashboards", "flags", "crds"):
        files.setdefault(f"{package}/pitwall_{package}/__init__.py", '"""A package."""\n')
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def made(rooms: ModuleType, **imports: str) -> dict[str, object]:
    """Rooms of one package by name, each with the rooms that it imports."""
    return {
        name: rooms.Room("crds", name, 1, "", frozenset(("crds", other) for other in below.split()))
        for name, below in imports.items()
    }


def test_imports_are_read_wherever_they_stand_in_a_file(rooms: ModuleType, tree: Path) -> None:
    found = {room.key: room for room in rooms.read_rooms(tree)}

    assert found["operator", "cli"].imports == {("operator", "turn")}
    assert found["operator", "turn"].imports == {("crds", "names")}
    assert found["operator", "cli"].about == "Commands"


def test_a_package_without_folders_is_one_room(rooms: ModuleType, tree: Path) -> None:
    assert [room.name for room in rooms.read_rooms(tree) if room.package == "flags"] == ["pitwall_flags"]


def test_a_room_stands_above_all_that_it_imports(rooms: ModuleType) -> None:
    assert rooms.levels(made(rooms, top="middle bottom", middle="bottom", bottom="")) == {
        "top": 2,
        "middle": 1,
        "bottom": 0,
    }


def test_an_arrow_that_follows_from_two_others_is_left_out(rooms: ModuleType) -> None:
    arrows = rooms.essential(made(rooms, top="middle bottom", middle="bottom", bottom=""))
    assert arrows == [("top", "middle"), ("middle", "bottom")]


def test_a_circle_is_told(rooms: ModuleType) -> None:
    with pytest.raises(SystemExit, match="left → right → left"):
        rooms.levels(made(rooms, left="right", right="left"))


def test_only_what_lies_between_the_marks_is_written(architecture: ModuleType, rooms: ModuleType, tree: Path) -> None:
    page = f"before\n{architecture.BEGIN}\nold\n{architecture.END}\nafter\n"
    written = architecture.with_table(page, rooms.read_rooms(tree))

    assert written.startswith("before\n")
    assert written.endswith("\nafter\n")
    assert "| `operator` / `turn` | Turns | 1 | *crds:* names |" in written
    assert "old" not in written


def test_a_page_without_marks_is_refused(architecture: ModuleType) -> None:
    with pytest.raises(SystemExit, match="must hold the lines"):
        architecture.with_table("no marks", [])
