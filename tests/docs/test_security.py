"""The threat model: every row names a test, and every test that it names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
NAMED = re.compile(r"`((?:[\w-]+/)*test_\w+\.py)(?:::(\w+))?`")
HOMES = (ROOT, ROOT / "tests", ROOT / "tests" / "gateway", ROOT / "tests" / "operator")


def rows() -> list[str]:
    """The rows of tables that name a threat and its test."""
    tables = re.findall(r"^\| threat \|.*?\n\|[-| ]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    return [row for table in tables for row in table.splitlines()]


def test_every_threat_has_a_test():
    assert len(rows()) > 8
    assert [row for row in rows() if not NAMED.search(row.rpartition(" | ")[2])] == []


def test_no_threat_is_said_twice():
    threats = [row.partition(" | ")[0] for row in rows()]

    assert [threat for threat in set(threats) if threats.count(threat) > 1] == []


def test_every_test_that_is_named_is_there():
    missing = []
    for path, function in NAMED.findall(PAGE):
        found = [home / path for home in HOMES if (home / path).is_file()]
        if not found or (function and f"def {function}(" not in found[0].read_text()):
            missing.append(f"{path}::{function}")

    assert missing == []
