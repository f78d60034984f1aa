"""Runs the conformance suite in this process and writes what it finds as lines of JSON, for a parent that watches.

`python -m pitwall_runtime.plugins.child NAME --first 0`: the sampler may end, hang or blow up this process.
"""

import argparse
import faulthandler
import json
import sys
from typing import TextIO

from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.plugins.conformance import try_all
from pitwall_runtime.plugins.locate import locate
from pitwall_runtime.plugins.rules import SuiteLimits
from pitwall_runtime.plugins.situations import all_situations

STUCK_FACTOR = 6
"""A sampler that keeps the interpreter to itself cannot be cut off by the guard, only by the end of the process."""


def main() -> int:
    """Write one line per event: a refusal, a beginning, or a result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--film-seconds", type=float, required=True)
    parser.add_argument("--ten-hours-seconds", type=float, required=True)
    parser.add_argument("--mebibytes", type=float, required=True)
    chosen = parser.parse_args()
    limits = SuiteLimits(chosen.film_seconds, chosen.ten_hours_seconds, chosen.mebibytes)
    lines, sys.stdout = sys.stdout, sys.stderr  # what a sampler prints is not what the parent reads
    try:
        sampler = locate(chosen.name)
    except BadVariantError as refusal:
        _write(lines, {"refused": refusal.message})
        return 0
    _write(lines, {"sampler": sampler.name, "stability": sampler.stability, "contract": sampler.contract})

    def begins(number: int, name: str) -> None:
        _write(lines, {"begins": number, "situation": name})
        faulthandler.dump_traceback_later(STUCK_FACTOR * limits.ten_hours_seconds, exit=True)

    for tried in try_all(sampler, limits, all_situations(), first=chosen.first, begins=begins):
        found = [finding.to_json() for finding in tried.findings]
        _write(lines, {"tried": tried.situation, "findings": found, "seconds": tried.seconds, "mib": tried.mebibytes})
    faulthandler.cancel_dump_traceback_later()
    return 0


def _write(lines: TextIO, data: dict[str, object]) -> None:
    lines.write(json.dumps(data) + "\n")
    lines.flush()


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    # Threads that a hanging sampler left behind would hold the process.
    import os

    os._exit(status)
