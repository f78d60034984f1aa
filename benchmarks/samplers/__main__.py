"""Runs the measurement: `python -m benchmarks.samplers [--quick] [--output FILE] [--official NAME=FILE …]`.

One thread; scores and embeddings are arrays in memory, so nothing but the choice is measured. Official code is read
from a checkout of yours where you name its file (aks=frame_select.py, bolt=select_frames.py, focus=focus.py): only the
functions that choose are run, with the same scores.
"""

import argparse
import os
import sys
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "results" / "samplers.json"


def main() -> int:
    """Prints the table, writes the rows, and says which promise is broken."""
    parser = argparse.ArgumentParser(prog="benchmarks.samplers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer sizes and runs")
    parser.add_argument("--output", type=Path, default=RESULTS, help="file for the rows; default: %(default)s")
    parser.add_argument("--official", action="append", default=[], metavar="NAME=FILE", help="published code, by path")
    arguments = parser.parse_args()
    for library in ("OPENBLAS", "OMP", "MKL"):  # before numpy is imported
        os.environ[f"{library}_NUM_THREADS"] = "1"
    from benchmarks.samplers import measure, report

    rows = measure.rows(quick=arguments.quick, official=arguments.official)
    return report.write(rows, arguments.output)


if __name__ == "__main__":
    sys.exit(main())
