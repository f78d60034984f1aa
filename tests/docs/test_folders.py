"""Of two names in one folder of a package at most one imports the other, also by way of third ones."""

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("crds", "flags", "operator", "gateway", "runtime", "dashboards")

Module = tuple[str, ...]


def modules(root: Path) -> dict[Module, frozenset[Module]]:
    """Every module of ours, and what it imports, wherever in the file."""
    found: dict[Module, frozenset[Module]] = {}
    for package in PACKAGES:
        for file in (root / package).rglob("*.py"):
            *folders, name = file.relative_to(root / package).with_suffix("").parts
            found[tuple(folders) if name == "__init__" else (*folders, name)] = frozenset(imported(file))
    return found


def imported(file: Path) -> Iterator[Module]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((*node.module.split("."), alias.name) for alias in node.names)


def neighbours(found: Mapping[Module, frozenset[Module]]) -> dict[Module, dict[str, set[str]]]:
    """For each folder, which of its names imports which."""
    folders: dict[Module, dict[str, set[str]]] = {}
    for module, targets in found.items():
        for depth in range(1, len(module)):
            folder, mine = module[:depth], module[depth]
            below = folders.setdefault(folder, {}).setdefault(mine, set())
            inside = (one for one in targets if one[:depth] == folder and len(one) > depth)
            below |= {one[depth] for one in inside if one[depth] != mine and is_there(found, (*folder, one[depth]))}
    return folders


def is_there(found: Mapping[Module, frozenset[Module]], name: Module) -> bool:
    return any(module[: len(name)] == name for module in found)


def circle(imports: Mapping[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_folder_holds_a_circle() -> None:
    folders = neighbours(modules(ROOT))

    assert len(folders) > 60, "all packages were read"
    assert {".".join(folder): circle(imports) for folder, imports in folders.items() if circle(imports)} == {}


@pytest.mark.parametrize(
    ("back", "found"), [("", []), ("from pitwall_crds.b import c", ["a", "b"])], ids=["one way", "both ways"]
)
def test_a_circle_by_way_of_a_folder_is_found(tmp_path: Path, back: str, found: list[str]) -> None:
    folder = tmp_path / "crds" / "pitwall_crds"
    (folder / "b").mkdir(parents=True)
    for name, text in {"__init__": "", "b/__init__": "", "b/c": "import pitwall_crds.a", "a": back}.items():
        (folder / f"{name}.py").write_text(text)

    assert sorted(set(circle(neighbours(modules(tmp_path))[("pitwall_crds",)]))) == found
