"""Shows the demo while it runs: a live screen on a terminal, a line per change elsewhere."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from examples.demo.asking import Reply
from examples.demo.users import DemoExchange
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_operator.cli.commands.show import View, screen

PIPE_WIDTH = 240
RECENT_SECONDS = 5.0
LINES_APART_SECONDS = 5.0


class Watched(Protocol):
    """Who has asked so far."""

    exchanges: list[DemoExchange]


class Screen:
    """The demo's eyes."""

    def __init__(self) -> None:
        self.console = Console(highlight=False)
        if not self.console.is_terminal:
            self.console = Console(highlight=False, width=PIPE_WIDTH)
        self.started = time.monotonic()
        self._live: Live | None = None
        self._watched: Watched | None = None
        self._last_words = ""
        self._last_line = 0.0

    def say(self, words: str) -> None:
        """One line that stays."""
        self.console.print(f"[{time.monotonic() - self.started:6.1f} s] {words}", markup=False)

    def watch(self, audience: Watched) -> None:
        """Show these users' traffic from now on."""
        self._watched = audience
        if self.console.is_terminal:
            self._live = Live(console=self.console, auto_refresh=False, vertical_overflow="visible")
            self._live.start()

    def close(self) -> None:
        """Stop refreshing; the last screen stays."""
        if self._live:
            self._live.stop()
            self._live = None

    def _traffic(self) -> str:
        asked = self._watched.exchanges if self._watched else []
        recent = [e for e in asked[-1000:] if e.asked_at_seconds > time.time() - RECENT_SECONDS]
        arms = Counter(_became(e.reply) for e in recent)
        shares = ", ".join(f"{name} {count}" for name, count in arms.most_common())
        return f"{len(asked)} questions asked, {len(recent) / RECENT_SECONDS:.0f} a second; last 5 s: {shares}"

    def show(self, rollout: Rollout, variants: Sequence[SamplerVariant]) -> None:
        """The present state."""
        if self._live:
            head = Text(f"[{time.monotonic() - self.started:6.1f} s] {self._traffic()}\n", style="bold")
            self._live.update(Group(head, screen(View((rollout,), variants))), refresh=True)
            return
        words = f"{rollout.status.stage} {rollout.status.weight} {rollout.status.verdict}"
        now = time.monotonic()
        if words != self._last_words or now - self._last_line > LINES_APART_SECONDS:
            self._last_words, self._last_line = words, now
            self.say(f"{words:30} {rollout.status.reason[:110]}")
            self._details(rollout, variants)

    def _details(self, rollout: Rollout, variants: Sequence[SamplerVariant]) -> None:
        self.console.print(f"           {self._traffic()}", markup=False)
        if rollout.status.candidate_variant:
            for gate in rollout.status.gates:
                self.console.print(f"           {gate.name}: {gate.verdict} – {gate.message}", markup=False)
        for variant in variants:
            m = variant.status.metrics
            if variant.status.ready_replicas and m.latency_p50:
                self.console.print(
                    f"           {variant.metadata.name}: p50 {m.latency_p50} p99 {m.latency_p99}, selection "
                    f"{m.frame_selection}, {m.tokens_per_query} tokens, hit rate {m.cache_hit_rate}, encoder "
                    f"{m.encoder_utilization}",
                    markup=False,
                )


def _became(reply: Reply) -> str:
    if not reply.was_asked:
        return "not asked"
    return f"{reply.variant} ({reply.arm})" if reply.variant else "failed"
