"""One owner per word: no two public classes of the repository share a name, and exceptions say what they are."""

import ast
import subprocess
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]


def classes() -> dict[str, list[str]]:
    """Files by name of the public classes that stand in them."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[str, list[str]] = defaultdict(list)
    for file in listed.stdout.split():
        path = ROOT / file
        if path.exists() and "_pb2" not in file:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    found[node.name].append(file)
    return found


def test_no_two_public_classes_share_a_name():
    assert {name: files for name, files in classes().items() if len(files) > 1} == {}


def test_no_lint_of_names_is_waived_for_an_exception():
    listed = subprocess.run(["git", "grep", "-l", "N81" + "8"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert listed.stdout == ""
