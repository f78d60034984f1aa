"""Decision records are numbered without holes, and the index says of each what it says of itself."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "decisions"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))
INDEX = (FOLDER / "README.md").read_text(encoding="utf-8")


def test_the_numbers_have_no_holes() -> None:
    assert [record.name[:4] for record in RECORDS] == [f"{number:04}" for number in range(1, len(RECORDS) + 1)]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_the_index_has_a_record_with_its_title_and_status(record: Path) -> None:
    text = record.read_text(encoding="utf-8")
    title = re.match(r"# (\d{4})\. (.+)", text)
    status = re.search(r"^Status: (.+?)(?:\. Replaces .*)?$", text, re.MULTILINE)

    assert title, "a record begins with `# NUMBER. Title`"
    assert status, "a record has a line `Status: …`"
    assert title[1] == record.name[:4]
    assert f"| [{title[1]}]({record.name}) | {title[2]} | {status[1]} |" in INDEX


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_a_record_says_why_and_what_it_costs(record: Path) -> None:
    headings = re.findall(r"^## (\w+)", record.read_text(encoding="utf-8"), re.MULTILINE)
    assert {"Context", "Decision", "Consequences"} <= set(headings)
