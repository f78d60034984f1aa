"""`pitwall check-sampler NAME`: the conformance suite in a process of its own, which may hang, crash or grow."""

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any, Final

from pitwall_runtime.plugins.conformance import Conformance, untried
from pitwall_runtime.plugins.suite.rules import REMEDIES, Clause, Finding, SuiteLimits, shown
from pitwall_runtime.plugins.trial.watching import SuiteProgress, run_child

_MOST_DEATHS: Final = 3


def check_sampler(name: str, limits: SuiteLimits) -> Conformance:
    """The suite's result. Raises ValueError with the reason if there is no such sampler."""
    watch, first, deaths = SuiteProgress(), 0, 0
    while not watch.finished and deaths < _MOST_DEATHS:
        ended = run_child(name, limits, watch, "--first", str(first))
        if watch.refused:
            raise ValueError(watch.refused)
        if ended:
            watch.findings.append(ended)
            first, deaths = watch.begun[0] + 1, deaths + 1
        if ended and watch.is_before:
            break  # the next child would end there, too
    if watch.finished and not watch.findings:
        watch.findings += _elsewhere(name, limits, watch)
    slowest: dict[str, Any] = max(watch.tried, key=lambda one: one["seconds"], default={"tried": "", "seconds": 0.0})
    return Conformance(
        sampler=watch.sampler.get("sampler", name),
        situations=sum(bool(one["tried"]) for one in watch.tried),
        findings=tuple(watch.findings),
        slowest=slowest["tried"],
        slowest_seconds=slowest["seconds"],
        mebibytes=max((one["mib"] for one in watch.tried), default=0.0),
        planned=watch.sampler.get("planned", 0),
        not_tried=untried(watch.findings, (Clause(rule) for one in watch.tried for rule in one["rules"])),
    )


def _elsewhere(name: str, limits: SuiteLimits, watch: SuiteProgress) -> list[Finding]:
    """The same in another process and another order. A third one, in the second's order, tells chance from memory."""
    other = SuiteProgress()
    ended = run_child(name, limits, other, "--other-order")
    if ended:
        return [ended]
    first = {one["tried"]: one["chosen"] for one in watch.tried}
    unlike = [key for key, one in other.again.items() if one["chosen"] != first[key]]
    if not unlike:
        return []
    third = SuiteProgress()
    ended = run_child(name, limits, third, "--other-order", "--lines")
    if ended:
        return [ended]
    found = []
    for key in unlike:
        by_chance = third.again[key]["chosen"] != other.again[key]["chosen"]
        words = f"{_frames(first[key])}, then {_frames(other.again[key]['chosen'])} in another process"
        words += "" if by_chance else ", where other questions came before it"
        found.append(Finding(Clause.REPEATS if by_chance else Clause.FORGETS, key, words, third.again[key]["line"]))
    return found


def _frames(chosen: list[list[int]] | None) -> str:
    return shown(chosen[0]) if chosen else "none"


def told(result: Conformance) -> str:
    """The report for people: every rule, and of those that are broken where and what to do."""
    broken: dict[Clause, list[Finding]] = {}
    for finding in result.findings:
        broken.setdefault(finding.rule, []).append(finding)
    count = str(result.situations)
    if result.situations < result.planned:
        count = f"{result.situations} of {result.planned}"
    lines = [f"sampler {result.sampler}: {len(Clause)} rules in {count} situations"]
    for rule in Clause:
        findings = broken.get(rule, [])
        word = "not tried" if rule in result.not_tried else "BROKEN" if findings else "kept  "
        lines.append(f"  {word}  {rule}")
        for finding in findings[:_SHOWN]:
            where = f"{finding.situation}: " if finding.situation else ""
            lines.append(f"            {where}{finding.message}")
            lines += [f"              at {finding.line}"] if finding.line else []
        if len(findings) > _SHOWN:
            lines.append(f"            and in {len(findings) - _SHOWN} more situations")
        lines += [f"            {REMEDIES[rule]}"] if findings else []
    if result.slowest:
        slowest = f"{result.slowest} in {result.slowest_seconds:.3f} s"
        lines.append(f"slowest: {slowest}; at most {result.mebibytes:.0f} MiB")
    return "\n".join(lines)


_SHOWN: Final = 3


def main(arguments: list[str] | None = None) -> int:
    """0 if every rule was tried and kept, 1 if one is broken or untried, 2 if there is no such sampler."""
    usual = SuiteLimits()
    parser = argparse.ArgumentParser(prog="pitwall check-sampler", description="Try a sampler in every situation.")
    parser.add_argument("name", help="a sampler's name, or module:attribute")
    parser.add_argument("--seconds", type=float, default=usual.film_seconds, help="for a film (default: %(default)g)")
    parser.add_argument("--ten-hours-seconds", type=float, default=usual.ten_hours_seconds, help="default: %(default)g")
    parser.add_argument("--mebibytes", type=float, default=usual.mebibytes, help="default: %(default)g")
    parser.add_argument("--import-seconds", type=float, default=usual.import_seconds, help="default: %(default)g")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    chosen = parser.parse_args(arguments)
    limits = SuiteLimits(chosen.seconds, chosen.ten_hours_seconds, chosen.mebibytes, chosen.import_seconds)
    try:
        result = check_sampler(chosen.name, limits)
    except ValueError as error:
        print(f"pitwall check-sampler: {error}", file=sys.stderr)
        return 2
    if chosen.output == "json":
        findings = [finding.to_json() for finding in result.findings]
        print(json.dumps({**asdict(result), "findings": findings}, indent=2))
    else:
        print(told(result))
    return 0 if result.holds else 1


if __name__ == "__main__":
    sys.exit(main())
