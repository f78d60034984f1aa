"""Lists the slowest tests and the cost of each folder of tests, from pytest's JUnit report."""

import os
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

SHOWN = 10


def main() -> int:
    """Prints both tables; seconds hold a test's fixtures too, those that many share stand with their first test."""
    report = Path(sys.argv[1])
    if not report.exists():
        sys.stderr.write(f"{report} is not there; `make test` writes it\n")
        return 2
    suite = next(ET.parse(report).iter("testsuite"))  # noqa: S314 – our own report
    cases = [
        (float(case.get("time", 0)), case.get("file", ""), case.get("name", "")) for case in suite.iter("testcase")
    ]
    seconds, counts = Counter[str](), Counter[str]()
    for took, file, _ in cases:
        folder = str(Path(file).parent)
        seconds[folder] += took
        counts[folder] += 1
    whole = seconds.total()
    print(f"{len(cases)} tests, {whole:.0f} s of them in {float(suite.get('time', 0)):.0f} s, {suite.get('timestamp')}")
    print(f"\n{'seconds':>8}  the {SHOWN} slowest tests")
    for took, file, name in sorted(cases, reverse=True)[:SHOWN]:
        print(f"{took:8.1f}  {file}::{name}")
    print(f"\n{'seconds':>8} {'share':>6} {'tests':>6}  folder")
    for folder, took in seconds.most_common():
        print(f"{took:8.1f} {took / (whole or 1):6.1%} {counts[folder]:6}  {folder}")
    return 0


if __name__ == "__main__":
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has read enough; the interpreter flushes once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    raise SystemExit(status)
