"""Generates a test's load: simulated users behind a real gateway's counters. `exporter.py --help`.

It plays the part of users, gateway and runtimes, so that a rollout has traffic without models and films. What is real:
the flags are followed from the real flag service by the gateway's own provider, every user is assigned by the gateway's
own assigner, which also tells their first visit, and exported by its telemetry. What is invented: that a question came
(Poisson), how long its answer took, whether it failed, whether the user liked it. The numbers come from a JSON file
that a test may rewrite at any time: {"rate": 500, "variants": {"dpp-v1": {"seconds": 2.0, "errors": 0.1, "bad": 0.3}}}.
With "silent": 1 no machine answers at the addresses of the variant's pods.
"""

import argparse
import json
import logging
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from pitwall_crds.names import Outcome, Signal
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.tally import End
from pitwall_gateway.counting.telemetry import GatewayTelemetry
from pitwall_gateway.flags.assign import Assigner
from pitwall_gateway.flags.sync import FollowedFlags
from pitwall_gateway.values.speaker import Party

TICK_SECONDS = 0.05
USUAL = {"seconds": 0.5, "errors": 0.0, "bad": 0.1, "seconds_ratio": 1.0, "silent": 0}
RATE = 500.0
ONE_POD = "http://127.0.0.1:1"
"""Every answer is said to come from the same pod, for nothing here makes a pod slower than its siblings."""


@dataclass
class Behaviour:
    """What the test wants, read anew when the file changes."""

    path: Path
    _read_at: float = 0.0
    _said: dict[str, Any] | None = None

    def _now(self) -> dict[str, Any]:
        changed = self.path.stat().st_mtime_ns
        if self._said is None or changed != self._read_at:
            self._said, self._read_at = json.loads(self.path.read_text()), changed
        return self._said

    @property
    def rate(self) -> float:
        """Questions a second."""
        return float(self._now().get("rate", RATE))

    def of(self, variant: str) -> dict[str, float]:
        """How one variant does."""
        return USUAL | self._now().get("variants", {}).get(variant, {})


class ExportedLoad:
    """Users who ask, and what is counted of them."""

    def __init__(self, assigner: Assigner, behaviour: Behaviour) -> None:
        self.telemetry = GatewayTelemetry(self._silence)
        self._arms: set[ArmSeries] = set()
        for unit in ("query", "session", "user"):
            self.telemetry.label_window(unit, 0.0)  # labels come with the answer here
        self._assigner = assigner
        self._behaviour = behaviour
        self._dice = random.Random()
        self._users = 0

    def _silence(self) -> dict[ArmSeries, float]:
        """The arms that are silent now."""
        return {arm: 0.0 for arm in tuple(self._arms) if self._behaviour.of(arm.variant)["silent"]}

    def ask(self) -> None:
        """One question of a user that nobody has seen before."""
        self._users += 1
        user = f"user-{self._users}-{self._dice.random()}"
        assignment = self._assigner.assign(user)
        if not assignment.variant:
            return
        series = assignment.series
        self._arms.add(ArmSeries(series.variant, series.arm))
        self._assigner.meets(user, lambda split: self.telemetry.met(series, split))
        self._answer(series, Party("load", user))
        for copy in self._assigner.copies(user):
            self._copy(copy)

    def _answer(self, series: ArmSeries, party: Party) -> None:
        does, dice = self._behaviour.of(series.variant), self._dice
        asked, seconds = self.telemetry.evidence.opened(series), does["seconds"] * dice.lognormvariate(0, 0.3)
        past = self.telemetry.history.asked(series, party)
        if dice.random() < does["errors"]:
            self.telemetry.failed(series)
            self.telemetry.evidence.closed(asked, End.FAILED, 0.0)
            self.telemetry.history.closed(past, End.FAILED, 0.0)
            return
        self.telemetry.answered(series, seconds)
        self.telemetry.evidence.closed(asked, End.ANSWERED, seconds)
        self.telemetry.history.closed(past, End.ANSWERED, seconds)
        self.telemetry.memory.answered(series, ONE_POD, time.monotonic(), seconds)
        for signal in (Signal.THUMBS_DOWN, Signal.FOLLOW_UP):
            outcome = Outcome.BAD if dice.random() < does["bad"] else Outcome.GOOD
            self.telemetry.quality(series, signal, "query", outcome)

    def _copy(self, series: ArmSeries) -> None:
        does, dice = self._behaviour.of(series.variant), self._dice
        failed = dice.random() < does["errors"]
        self.telemetry.evidence.closed(self.telemetry.evidence.copied(series), End.ABANDONED, 0.0)
        self.telemetry.shadow_pair(series, Outcome.ERROR if failed else Outcome.OK)
        if not failed:
            self.telemetry.shadow_latency_ratio(series, does["seconds_ratio"] * dice.lognormvariate(0, 0.2))
            self.telemetry.shadow_tokens_ratio(series, 1.0)

    def moments(self) -> Iterator[float]:
        """When questions come: exponential times between them, whatever the answers do."""
        at = time.monotonic()
        while True:
            at += self._dice.expovariate(max(self._behaviour.rate, 0.001))
            yield at

    def run(self) -> None:
        """Ask until the process ends."""
        for at in self.moments():
            ahead = at - time.monotonic()
            if ahead > 0:
                time.sleep(max(ahead, TICK_SECONDS))
            self.ask()


def serve(telemetry: GatewayTelemetry, port: int) -> None:
    class Scrape(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = telemetry.text()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            """Scrapes are not worth a line."""

    Thread(target=ThreadingHTTPServer(("127.0.0.1", port), Scrape).serve_forever, daemon=True).start()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flags-sync", required=True, metavar="HOST:PORT", help="the flag service's sync stream")
    parser.add_argument("--flag", required=True, help="the flag that says who answers")
    parser.add_argument("--behaviour", required=True, type=Path, help="the JSON file")
    parser.add_argument("--port", required=True, type=int, help="where Prometheus scrapes")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    flags = FollowedFlags(options.flags_sync, state_dir=options.behaviour.parent)
    flags.start()
    load = ExportedLoad(Assigner(flags, options.flag, lambda last: last), Behaviour(options.behaviour))
    serve(load.telemetry, options.port)
    load.run()


if __name__ == "__main__":
    main()
