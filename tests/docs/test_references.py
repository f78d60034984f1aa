"""Every path, module and command that the documents name exists."""

import importlib.util
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("crds", "flags", "operator", "gateway", "runtime", "dashboards")
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)\s#]+)[^)\s]*\)")
CODE = re.compile(r"`([^`\n]+)`|^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
PATH = re.compile(r"(?<![\w/.:$~<-])((?:[\w.-]+/)+(?:[\w.-]*\w)?)(?![\w/<{*-])")
DOTTED = re.compile(r"\bpitwall_(?:crds|flags|operator|gateway|runtime|dashboards)(?:\.\w+)+")
FILE = re.compile(r"(?<![\w/.*<{-])((?:[\w.-]+/)*\w+\.py)\b")
FOLDER = re.compile(r"\w\w+/")
COMMAND = re.compile(r"\bpython -m ([a-z0-9_.]+)(?![A-Z.])\b")

FORBIDDEN = {"operator/__init__.py"}
"""Named because they must not exist."""


def tracked() -> frozenset[str]:
    """Files that git knows or would add, and their folders."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    files = [
        name
        for name in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        if (ROOT / name).exists()
    ]
    return frozenset(files) | {str(parent) for name in files for parent in Path(name).parents}


EXISTING = tracked()
TOP = {name.partition("/")[0] for name in EXISTING if "/" in name}
PAGES = sorted(name for name in EXISTING if name.endswith(".md"))


def code(text: str) -> Iterator[str]:
    """What stands in code marks and in code blocks."""
    for short, block in CODE.findall(text):
        yield short or block


def ends(text: str) -> set[str]:
    """Python files and folders that are named by the end of their path, such as `decide.py` or `gates/`."""
    pieces = list(code(text))
    files = {path for piece in pieces for path in FILE.findall(piece)}
    return files | {piece.rstrip("/") for piece in pieces if FOLDER.fullmatch(piece)}


def paths(text: str) -> set[str]:
    """Repository paths: those in code that begin with a folder of the repository's root."""
    found = {path for piece in code(text) for path in PATH.findall(piece)}
    return {path for path in found if path.partition("/")[0] in TOP}


@cache
def is_module_or_in_one(dotted: str) -> bool:
    """Whether a dotted name is a module of ours, or a name, or a name of a class, in the text of one."""
    package, *rest = dotted.split(".")
    place = ROOT / package.removeprefix("pitwall_") / package
    while rest and (place / rest[0]).is_dir():
        place /= rest.pop(0)
    if rest and (place / f"{rest[0]}.py").exists():
        place /= f"{rest.pop(0)}.py"
    source = (place if place.is_file() else place / "__init__.py").read_text()
    return all(re.search(rf"^\s*(?:async )?(?:def |class )?{name}\b", source, re.MULTILINE) for name in rest)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    targets = LINK.findall((ROOT / page).read_text())
    assert [target for target in targets if not (folder / target).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_path_of_the_repository_exists(page: str) -> None:
    named = paths((ROOT / page).read_text())
    assert sorted(path for path in named if path.rstrip("/") not in EXISTING | FORBIDDEN) == []


@pytest.mark.parametrize("page", PAGES)
def test_every_file_or_folder_that_is_named_by_its_end_exists(page: str) -> None:
    named = ends((ROOT / page).read_text()) - FORBIDDEN
    unknown = {end for end in named if not any(f"/{path}".endswith(f"/{end}") for path in EXISTING)}
    assert sorted(unknown) == []


@pytest.mark.parametrize("page", PAGES)
def test_every_dotted_name_is_a_module_or_stands_in_one(page: str) -> None:
    named = set(DOTTED.findall((ROOT / page).read_text()))
    assert sorted(name for name in named if not is_module_or_in_one(name)) == []


@pytest.mark.parametrize("page", PAGES)
def test_every_module_that_is_run_can_be_found(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))  # benchmarks and examples are run from the repository's folder
    commands = set(COMMAND.findall((ROOT / page).read_text()))
    assert sorted(module for module in commands if importlib.util.find_spec(module) is None) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("`crds/pitwall_crds/no_such.py`", {"crds/pitwall_crds/no_such.py"}, id="a path in code is seen"),
        pytest.param("```\nls docs/missing.md\n```\n", {"docs/missing.md"}, id="a path in a block of code is seen"),
        pytest.param("`flags/`", {"flags/"}, id="a folder is a path"),
        pytest.param("`registry.example/team/x`", set(), id="what begins elsewhere is not ours"),
        pytest.param("`tests/<folder>/test_<module>.py`", set(), id="a pattern is not a path"),
    ],
)
def test_paths_are_told_from_other_words(text: str, found: set[str]) -> None:
    assert paths(text) == found


@pytest.mark.parametrize(
    ("dotted", "exists"),
    [
        ("pitwall_operator.decision.decide", True),
        ("pitwall_operator.decision.decide.decide", True),
        ("pitwall_operator.handlers", False),
        ("pitwall_runtime.gateway", False),
        ("pitwall_flags.document", False),
    ],
)
def test_a_module_that_was_moved_is_not_found_where_it_was(dotted: str, exists: bool) -> None:
    assert is_module_or_in_one(dotted) is exists
