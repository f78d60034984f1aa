"""The reference in docs says what the types say."""

from pathlib import Path

import pytest

from pitwall_crds.generate.reference import reference

COMMITTED = Path(__file__).parents[3] / "docs" / "resources.md"


def test_the_committed_reference_is_what_the_types_give():
    assert COMMITTED.read_text(encoding="utf-8") == reference(), "run make generate"


@pytest.mark.parametrize(
    "line",
    [
        "| `spec.maxFrames` | integer, 1–1024 | Frames the sampler must choose. Default: 32. |",
        "| `spec.stages` | list of objects, 1–16 | The way to full weight, in order. **required** |",
        "| `spec.analysis.gates.dependence` | `Block` \\| `Query` | Whether trials inside a block",
        "* a gate must set exactly one of quantile, rate and mean.",
        "* no two entries of one list may have the same name.",
    ],
)
def test_the_reference_holds(line: str):
    assert line in reference()


def test_no_row_of_a_table_is_broken():
    rows = [line for line in reference().splitlines() if line.startswith("| `")]

    assert len(rows) > 100
    assert all(row.replace("\\|", "").count("|") == 4 for row in rows)
