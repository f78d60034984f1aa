"""The worked example of a plug-in, as its page tells it: installed beside Pitwall and brought to 100 % on evidence,
with users who ask about the real film."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from house import EXAMPLES, House, eventually, pitwall, running

from pitwall_crds.rollout.status import Phase

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1500)]

PLUG_IN = EXAMPLES / "plug-in"
LONG_SECONDS = 1300.0


@pytest.fixture
def installed(tmp_path: Path) -> str:
    """PYTHONPATH with the example's package as pip would install it."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=PLUG_IN, check=True, capture_output=True, timeout=110)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "site")
    return f"{tmp_path / 'site'}:{os.environ.get('PYTHONPATH', '')}"


async def test_it_replaces_the_stable_sampler_on_evidence(film, installed, tmp_path):
    files = (EXAMPLES / "variants.yaml", PLUG_IN / "variant.yaml", EXAMPLES / "rollout.yaml")
    with running(tmp_path / "state", film, *files, environment={"PYTHONPATH": installed}) as house:
        async with house.users() as seen:
            await eventually(lambda: len(seen) >= 60)
            pitwall(house.state, "apply", "-f", PLUG_IN / "rollout.yaml")
            await eventually(lambda: is_over(house), LONG_SECONDS)
        assert house.rollout().status.stable_variant == "peaks-apart-v1", house.rollout().status.reason
        await eventually(lambda: serving(house) == {"peaks-apart-v1": 10_000})
        shown = pitwall(house.state, "get", "variants")

    assert re.search(r"^peaks-apart-v1 +peaks-apart \(alpha\) +\d/\d +stable", shown, re.MULTILINE)


def is_over(house: House) -> bool:
    status = house.rollout().status
    return status.stable_variant == "peaks-apart-v1" or status.phase in (
        Phase.FLAGGED_OFF,
        Phase.ABORTED,
        Phase.INVALID,
    )


def serving(house: House) -> dict[str, int]:
    """Each variant's share of the traffic."""
    return {one.variant: one.weight_basis_points for one in house.rollout().status.weights if one.weight_basis_points}
