"""The panels' queries as one picture."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from pitwall_dashboards.draw import QueryServer, draw

pytestmark = pytest.mark.slow
COMMAND = (sys.executable, "-m", "pitwall_dashboards.draw")


def test_a_picture_of_real_data_fills_a_1080p_screen(prometheus_url: str, tmp_path: Path, eventually):
    picture = tmp_path / "screen.png"

    def lately() -> QueryServer:
        return QueryServer(prometheus_url, time.time() - 60, time.time())

    eventually(lambda: lately().series("pitwall_rollout_weight_basis_points"), seconds=60, what="a scrape")
    draw(lately(), picture)

    header = picture.read_bytes()[:24]
    assert header.startswith(b"\x89PNG")
    assert (int.from_bytes(header[16:20]), int.from_bytes(header[20:24])) == (1920, 1080)


def test_a_server_that_is_away_is_said_so(tmp_path: Path):
    done = subprocess.run(
        (*COMMAND, "http://127.0.0.1:1", str(tmp_path / "x.png")),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("http://127.0.0.1:1 gave no data")
