"""`pitwall check-sampler NAME`: the conformance suite in a process of its own, which may hang, crash or grow."""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from pitwall_runtime.plugins.child import STUCK_FACTOR
from pitwall_runtime.plugins.conformance import Conformance
from pitwall_runtime.plugins.rules import REMEDIES, Clause, Finding, SuiteLimits

_MODULE: Final = "pitwall_runtime.plugins.child"
_LOOK_SECONDS: Final = 0.05
_MOST_DEATHS: Final = 3
_LIBRARY: Final = str(Path(threading.__file__).parent)
_KILL_FACTOR: Final = 2
"""The child is ended at twice the memory that it may take, before the machine has none left."""


@dataclass(slots=True)
class SuiteProgress:
    """What the child has said so far."""

    refused: str = ""
    sampler: dict[str, Any] = field(default_factory=dict)
    begun: tuple[int, str] = (-1, "importing the module")
    tried: list[dict[str, Any]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    finished: bool = False


def check_sampler(name: str, limits: SuiteLimits) -> Conformance:
    """The suite's result. Raises ValueError with the reason if there is no such sampler."""
    watch, first, deaths = SuiteProgress(), 0, 0
    while not watch.finished and deaths < _MOST_DEATHS:
        ended = _run(name, limits, first, watch)
        if watch.refused:
            raise ValueError(watch.refused)
        if ended:
            watch.findings.append(ended)
            first, deaths = watch.begun[0] + 1, deaths + 1
        else:
            watch.finished = True
    slowest: dict[str, Any] = max(watch.tried, key=lambda one: one["seconds"], default={"tried": "", "seconds": 0.0})
    return Conformance(
        sampler=watch.sampler.get("sampler", name),
        situations=sum(bool(one["tried"]) for one in watch.tried),
        findings=tuple(watch.findings),
        slowest=slowest["tried"],
        slowest_seconds=slowest["seconds"],
        mebibytes=max((one["mib"] for one in watch.tried), default=0.0),
    )


def _run(name: str, limits: SuiteLimits, first: int, watch: SuiteProgress) -> Finding | None:
    """One child, from situation `first` on; how it ended, if not well."""
    command = [sys.executable, "-m", _MODULE, name, "--first", str(first)]
    command += ["--film-seconds", str(limits.film_seconds), "--ten-hours-seconds", str(limits.ten_hours_seconds)]
    command += ["--mebibytes", str(limits.mebibytes)]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as words:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=words, text=True)  # noqa: S603 – our own module
        assert child.stdout is not None
        reader = threading.Thread(target=_listen, args=(child.stdout, watch), daemon=True)
        reader.start()
        too_large = _outlast(child, limits)
        reader.join()
        child.stdout.close()
        if too_large:
            return Finding(Clause.MEMORY, watch.begun[1], f"{too_large:.0f} MiB, so the process was ended")
        if child.returncode == 0:
            return None
        words.seek(0)
        return _death(child.returncode, words.read(), watch, limits)


def _listen(lines: IO[str], watch: SuiteProgress) -> None:
    for line in lines:
        said = json.loads(line)
        if "refused" in said:
            watch.refused = said["refused"]
        elif "sampler" in said:
            watch.sampler = said
        elif "begins" in said:
            watch.begun = (said["begins"], said["situation"])
        else:
            watch.tried.append(said)
            watch.findings += [_finding(one) for one in said["findings"]]


def _finding(data: dict[str, str]) -> Finding:
    return Finding(Clause(data["rule"]), data["situation"], data["message"], data["line"])


def _outlast(child: "subprocess.Popen[str]", limits: SuiteLimits) -> float:
    """Wait for its end; MiB by which it had grown if it had to be ended for that."""
    began = 0.0
    while child.poll() is None:
        now = _resident(child.pid)
        began = began or now
        if now - began > _KILL_FACTOR * limits.mebibytes + 512:  # the interpreter and the ten-hour inputs come on top
            child.kill()
            child.wait()
            return now - began
        time.sleep(_LOOK_SECONDS)
    return 0.0


def _resident(pid: int) -> float:
    """MiB; 0 where the system does not say."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:")), 0.0)


def _death(status: int, words: str, watch: SuiteProgress, limits: SuiteLimits) -> Finding:
    """What a child that ended by itself says of the sampler: it hung with the interpreter, or ended the process."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    if any(line.startswith("Timeout (") for line in lines):
        stack = [line for line in lines if line.startswith("File ")]
        own = next((line for line in stack if _LIBRARY not in line and "pitwall_runtime" not in line), "")
        message = f"it kept the interpreter to itself for {STUCK_FACTOR * limits.ten_hours_seconds:g} s"
        return Finding(Clause.IN_TIME, watch.begun[1], message, own)
    said = f": {lines[-1]}" if lines else ""
    return Finding(Clause.ENDS, watch.begun[1], f"it ended the whole process with status {status}{said}"[:500])


def told(result: Conformance) -> str:
    """The report for people: every rule, and of those that are broken where and what to do."""
    broken: dict[Clause, list[Finding]] = {}
    for finding in result.findings:
        broken.setdefault(finding.rule, []).append(finding)
    lines = [f"sampler {result.sampler}: {len(Clause)} rules in {result.situations} situations"]
    for rule in Clause:
        findings = broken.get(rule, [])
        lines.append(f"  {'BROKEN' if findings else 'kept  '}  {rule}")
        for finding in findings[:_SHOWN]:
            where = f"{finding.situation}: " if finding.situation else ""
            lines.append(f"            {where}{finding.message}")
            lines += [f"              at {finding.line}"] if finding.line else []
        if len(findings) > _SHOWN:
            lines.append(f"            and in {len(findings) - _SHOWN} more situations")
        lines += [f"            {REMEDIES[rule]}"] if findings else []
    lines.append(f"slowest: {result.slowest} in {result.slowest_seconds:.3f} s; at most {result.mebibytes:.0f} MiB")
    return "\n".join(lines)


_SHOWN: Final = 3


def main(arguments: list[str] | None = None) -> int:
    """0 if every rule is kept, 1 if one is broken, 2 if there is no such sampler."""
    usual = SuiteLimits()
    parser = argparse.ArgumentParser(prog="pitwall check-sampler", description="Try a sampler in every situation.")
    parser.add_argument("name", help="a sampler's name, or module:attribute")
    parser.add_argument("--seconds", type=float, default=usual.film_seconds, help="for a film (default: %(default)g)")
    parser.add_argument("--ten-hours-seconds", type=float, default=usual.ten_hours_seconds, help="default: %(default)g")
    parser.add_argument("--mebibytes", type=float, default=usual.mebibytes, help="default: %(default)g")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    chosen = parser.parse_args(arguments)
    try:
        result = check_sampler(chosen.name, SuiteLimits(chosen.seconds, chosen.ten_hours_seconds, chosen.mebibytes))
    except ValueError as error:
        print(f"pitwall check-sampler: {error}", file=sys.stderr)
        return 2
    if chosen.output == "json":
        findings = [finding.to_json() for finding in result.findings]
        print(json.dumps({**asdict(result), "findings": findings}, indent=2))
    else:
        print(told(result))
    return 1 if result.findings else 0


if __name__ == "__main__":
    sys.exit(main())
