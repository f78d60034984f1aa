"""The demo, shortened: one variant promoted and one flagged off, both by evidence, on the real film."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(840)]
FEW = "10"
"""Tasks a second. What the machine could take is up to four times as much, most of it beyond what proves anything: the
stages wait for pods, blocks and labels meanwhile."""


def test_the_better_sampler_is_promoted_and_the_worse_one_is_flagged_off(film, short_examples, tmp_path):
    assert_both_end_as_they_should(tmp_path / "state", "--files", short_examples, "--rate", FEW)


@pytest.mark.soak
def test_they_end_so_at_every_stage_of_the_example_files(film, tmp_path):
    assert_both_end_as_they_should(tmp_path / "state")


def assert_both_end_as_they_should(state: Path, *options: str | Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.demo", "--state", state, *options],
        capture_output=True, text=True, check=False, timeout=800, cwd=ROOT,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    assert "aks-v1 promoted on evidence: yes" in done.stdout
    assert "dpp-v1 flagged off on evidence: yes" in done.stdout
    record = [json.loads(line) for line in (state / "records" / "sampler.jsonl").read_text().splitlines()]
    assert {line["candidate"] for line in record if line["kind"] == "run"} == {"aks-v1", "dpp-v1"}
    assert sum(line["kind"] == "block" for line in record) > 10
