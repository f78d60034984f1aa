"""Runs the conformance suite in this process and tells what it finds as lines of JSON, for a parent that watches.

`python -m pitwall_runtime.plugins.trial.child NAME --channel 5 --first 0`: the sampler may end, hang or blow up this
process, and write what it likes to standard output: the parent reads a pipe of its own and believes nothing but
`finished`.
"""

import argparse
import faulthandler
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import TextIO

from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.plugins.conformance import in_other_order, planned, try_all
from pitwall_runtime.plugins.locate import locate
from pitwall_runtime.plugins.suite.rules import SuiteLimits
from pitwall_runtime.plugins.suite.situations import all_situations
from pitwall_runtime.samplers.containment import home_of
from pitwall_runtime.samplers.contract import Sampler

STUCK_FACTOR = 6
"""A sampler that keeps the interpreter to itself cannot be cut off by the guard, only by the end of the process."""

Say = Callable[[dict[str, object]], None]


def main() -> int:
    """Write one line per event: a refusal, a beginning, a result, the end."""
    chosen = _arguments()
    limits = SuiteLimits(chosen.film_seconds, chosen.ten_hours_seconds, chosen.mebibytes, chosen.import_seconds)
    os.set_inheritable(chosen.channel, False)  # a process that the sampler starts must not hold it open
    lines = open(chosen.channel, "w", encoding="utf-8")  # noqa: SIM115 – for as long as this process lives

    def say(data: dict[str, object]) -> None:
        _write(lines, data)

    faulthandler.enable()
    if hasattr(signal, "SIGUSR1"):
        faulthandler.register(signal.SIGUSR1)  # the parent asks where everybody is before it ends a child that grew
    faulthandler.dump_traceback_later(limits.import_seconds, exit=True)
    try:
        sampler = locate(chosen.name)
    except BadVariantError as refusal:
        say({"refused": refusal.message})
        return 0
    said = {"sampler": sampler.name, "home": home_of(sampler.select)}
    say({**said, "planned": len(planned(sampler, all_situations()))})
    if chosen.other_order:
        _in_other_order(sampler, limits, say, with_lines=chosen.lines)
    else:
        _try_all(sampler, limits, say, first=chosen.first)
    faulthandler.cancel_dump_traceback_later()
    say({"finished": True})
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--channel", type=int, required=True, help="the file descriptor to write to")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--other-order", action="store_true", help="choose only, and say what")
    parser.add_argument("--lines", action="store_true", help="and at which line")
    for name in ("film-seconds", "ten-hours-seconds", "mebibytes", "import-seconds"):
        parser.add_argument(f"--{name}", type=float, required=True)
    return parser.parse_args()


def _begins(limits: SuiteLimits, say: Say) -> Callable[[int, str], None]:
    def begins(number: int, name: str) -> None:
        say({"begins": number, "situation": name})
        faulthandler.dump_traceback_later(STUCK_FACTOR * limits.ten_hours_seconds, exit=True)

    return begins


def _try_all(sampler: Sampler, limits: SuiteLimits, say: Say, first: int) -> None:
    for tried in try_all(sampler, limits, all_situations(), first=first, begins=_begins(limits, say)):
        say(
            {
                "tried": tried.situation,
                "findings": [finding.to_json() for finding in tried.findings],
                "seconds": tried.seconds,
                "mib": tried.mebibytes,
                "rules": sorted(tried.rules),
                "chosen": [tried.chosen.indices, tried.chosen.tiers] if tried.chosen else None,
            }
        )


def _in_other_order(sampler: Sampler, limits: SuiteLimits, say: Say, *, with_lines: bool) -> None:
    for tried, line in in_other_order(sampler, limits, with_lines=with_lines, begins=_begins(limits, say)):
        chosen = [tried.chosen.indices, tried.chosen.tiers] if tried.chosen else None
        say({"again": tried.situation, "chosen": chosen, "line": line})


def _write(lines: TextIO, data: dict[str, object]) -> None:
    lines.write(json.dumps(data) + "\n")
    lines.flush()


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    # Threads that a hanging sampler left behind would hold the process.
    os._exit(status)
