"""Runs the comparison: `python -m benchmarks.evidence [--quick] [--output DIR] [--annotations FILE | --film FILE]`.

Without a language model: a sampler is good if it takes frames of the moments that answer the question. The videos are
made up (videos.py says how), come from an annotation file of yours (annotations.py says what it holds), or are the film
of the examples with the questions that people wrote about it.
"""

import argparse
import os
import sys
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "results"
A_CELL, QUICK_A_CELL = 25, 1
SEED = 20_261


def main() -> int:
    """Prints recall by stratum, writes rows and plot, and says where the default is behind."""
    parser = argparse.ArgumentParser(prog="benchmarks.evidence", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_A_CELL} videos a cell instead of {A_CELL}")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for rows and plot; default: %(default)s")
    parser.add_argument("--annotations", type=Path, help="questions with evidence in a file, instead of made-up videos")
    parser.add_argument("--film", type=Path, help="the film of examples/film: its annotated questions instead")
    parser.add_argument("--seed", type=int, default=SEED, help="of the made-up videos; default: %(default)s")
    arguments = parser.parse_args()
    for library in ("OPENBLAS", "OMP", "MKL"):  # before numpy is imported
        os.environ[f"{library}_NUM_THREADS"] = "1"
    from benchmarks.evidence import annotations, cases, measure, report, videos

    if arguments.film:
        from benchmarks.evidence import film

        source, asked = "film", film.read(arguments.film)
    elif arguments.annotations:
        source, asked = arguments.annotations.stem, annotations.read(arguments.annotations)
    else:
        a_cell = QUICK_A_CELL if arguments.quick else A_CELL
        source, asked = "generator", cases.made_up(videos.videos(a_cell, arguments.seed))
    seen, found = measure.recalls(asked)
    return report.write(list(measure.rows(seen, found)), source, arguments.output)


if __name__ == "__main__":
    sys.exit(main())
