"""Every benchmark runs as it stands, and says of each number where and when it was measured."""

import datetime as dt
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from harness import binaries

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
ROOT = Path(__file__).parents[2]
RUN_SECONDS = 200
"""Each takes less than 20 s on two quiet cores; the rest is for machines that have other work."""


def rows(benchmark: str, output: Path, *options: str) -> list[dict[str, Any]]:
    """What the benchmark wrote."""
    command = [sys.executable, "-m", f"benchmarks.{benchmark}", "--output", str(output), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    file = output / f"{benchmark}.json" if output.is_dir() else output
    found = json.loads(file.read_text())
    return list(found["rows"] if isinstance(found, dict) else found)


def assert_each_says_where_and_when(found: list[dict[str, Any]]) -> None:
    today = dt.datetime.now(dt.UTC).date()
    for row in found:
        assert "cores, Python 3." in row["machine"], row
        assert today - dt.date.fromisoformat(row["date"]) <= dt.timedelta(days=1), row


def test_what_a_flag_costs_is_measured(tmp_path):
    found = rows("flags", tmp_path / "flags.json", "--least")

    assert_each_says_where_and_when(found)
    measured = {row["measure"] for row in found}
    assert {"evaluation in process", "OFREP single evaluation", "write until visible", "service start"} <= measured
    assert all(row["p50"] > 0 and row["p99"] >= row["p50"] and row["count"] > 0 for row in found)


def test_what_the_gateway_adds_is_measured(tmp_path):
    found = rows("gateway", tmp_path / "gateway.json", "--quick")

    assert_each_says_where_and_when(found)
    assert {(row["way"], row["concurrency"]) for row in found} == {
        (way, concurrency) for way in ("direct", "gateway") for concurrency in (1, 8)
    }
    assert all(row["p50_ms"] > 0 and row["questions"] == 300 for row in found)


def test_what_the_operator_costs_is_measured_and_kept_beside_other_sizes(tmp_path):
    binaries.found(*binaries.CONTROL_PLANE)
    if not shutil.which("prometheus"):
        pytest.skip("prometheus is not installed")
    output = tmp_path / "operator_load.json"
    other = {"system": "pitwall", "rollouts": 1, "measure": "known before"}
    output.write_text(json.dumps([other]))

    found = rows("operator_load", output, "--sizes", "2", "--seconds", "1", "--probes", "2")

    assert found.pop(0) == other
    assert_each_says_where_and_when(found)
    measured = {row["measure"]: row["value"] for row in found}
    assert measured["API calls of a first Rollout"] > 0
    assert measured["evidence → flag written (scrape 1 s, block 5 s)"] > 0
    assert {row["rollouts"] for row in found} == {2}


def test_canary_policies_are_compared_on_the_same_traffic(tmp_path):
    found = rows("canary_policies", tmp_path, "--least")

    assert_each_says_where_and_when(found)
    assert {"pitwall, Block", "pitwall, Query", "flagger, threshold 1", "kayenta, every 5 min"} <= {
        row["policy"] for row in found
    }
    assert {row["runs"] for row in found} == {2}
    assert (tmp_path / "canary_policies.md").read_text().startswith("# Canary policies on the same traffic")
    assert list(tmp_path.glob("*.png"))


def test_what_the_ingest_queues_carry_is_measured(tmp_path):
    found = rows("ingest_queue", tmp_path / "ingest_queue.json", "--quick")

    assert_each_says_where_and_when(found)
    assert {"put", "take and finish"} <= {row["measure"] for row in found if row["queue"] == "SQLite"}
    assert all(row["value"] > 0 for row in found if row["unit"] == "jobs/s")
    assert {row["value"] for row in found if row["measure"].startswith("lost")} == {0}


@pytest.mark.soak
def test_what_brokers_carry_is_measured_where_they_are_installed(tmp_path):
    found = rows("ingest_queue", tmp_path / "ingest_queue.json", "--quick", "--queue", "sqs", "--queue", "kafka")

    assert_each_says_where_and_when(found)
    assert {row["queue"] for row in found} >= {"SQS (moto)"}
    assert all(row["value"] > 0 for row in found if row["unit"] == "jobs/s")
    assert {row["value"] for row in found if row["measure"].startswith("lost")} == {0}


def test_what_choosing_costs_is_measured(tmp_path):
    found = rows("samplers", tmp_path / "samplers.json", "--quick")

    assert_each_says_where_and_when(found)
    assert {"uniform", "quota", "air"} <= {row["sampler"] for row in found}
    assert {(row["n"], row["budget"], row["dimension"]) for row in found} == {(600, 64, 1152), (3600, 64, 1152)}
    assert all(0 < row["p50_ms"] <= row["p99_ms"] and row["mib"] > 0 and row["chosen"] == 64 for row in found)


def test_which_sampler_finds_the_evidence_is_measured(tmp_path):
    found = rows("evidence", tmp_path, "--quick")

    assert_each_says_where_and_when(found)
    assert {row["budget"] for row in found} == {8, 16, 32, 64}
    recall = {row["sampler"]: row["recall"] for row in found if (row["stratum"], row["budget"]) == ("all", 64)}
    assert recall["quota"] > recall["uniform"] > 0.2
    assert (tmp_path / "evidence.png").stat().st_size > 20_000


def test_how_fast_films_become_pools_is_measured_beside_ffmpeg_and_what_answers_cost(tmp_path):
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed")
    found = rows("pipeline", tmp_path / "pipeline.json", "--quick")

    assert_each_says_where_and_when(found)
    decoders = [row for row in found if "decoder" in row]
    assert {row["decoder"] for row in decoders} == {"ffmpeg -f null", "pyav"}
    assert all(row["pool_frames"] > 0 for row in decoders if row["decoder"] == "pyav")
    assert all(row["native_frames_per_second"] > 0 for row in decoders)
    assert {row["film"].split()[0] for row in decoders} >= {"H.264", "HEVC", "VP8", "VP9", "AV1", "MPEG-2", "MPEG-4"}
    answers = [row for row in found if "measure" in row]
    assert {row["film_seconds"] for row in answers if row["measure"].startswith("first answer")} == {5, 10}
    assert [row["questions"] for row in answers if row["measure"] == "memory of the process"] == [4, 8, 12]
    assert all(row["value"] > 0 for row in answers if row["unit"] in ("s", "ms"))


def test_how_well_cuts_are_found_is_measured(tmp_path):
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed")
    found = rows("shots", tmp_path / "shots.json", "--quick")

    assert_each_says_where_and_when(found)
    assert {row["preset"] for row in found} == {"quality", "default", "fast"}
    assert all(row["cuts"] == 3 and row["right"] <= row["found"] for row in found)
    assert all(row["f1"] > 0.5 for row in found)
