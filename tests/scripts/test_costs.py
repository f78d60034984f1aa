"""What `make test-costs` prints may be cut short."""

import os
import subprocess
import sys
from pathlib import Path

COSTS = Path(__file__).parents[2] / "scripts" / "costs.py"
REPORT = """<testsuites><testsuite time="2.0" timestamp="2026-01-01"><testcase file="tests/a.py" name="b" time="1.0"/>
</testsuite></testsuites>"""


def test_a_reader_who_has_read_enough_gets_no_complaint(tmp_path):
    report = tmp_path / "tests.xml"
    report.write_text(REPORT)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, COSTS, report], check=False, stdout=writing, stderr=subprocess.PIPE, text=True
        )
    finally:
        os.close(writing)

    assert (done.returncode, done.stderr) == (0, "")
