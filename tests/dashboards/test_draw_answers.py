"""Every panel drawn from a server's answers, whatever they hold."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pitwall_dashboards.draw import STEPS, QueryServer, draw

START, END = 1_000.0, 1_600.0
STEP = (END - START) / STEPS


@dataclass(frozen=True, slots=True)
class Recorded(QueryServer):
    """A server whose answer to every query is the same, and which remembers the queries."""

    answer: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def series(self, expression: str) -> list[dict[str, Any]]:
        self.asked.append(expression)
        return self.answer


def a_series(value: float, *, until: float = END, **labels: str) -> dict[str, Any]:
    times = [START + step * STEP for step in range(STEPS + 1)]
    return {"metric": labels, "values": [[at, str(value)] for at in times if at <= until]}


@pytest.mark.slow
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param([], id="nothing yet"),
        pytest.param([a_series(0.5, arm="candidate", rollout="r", gate="g")], id="one series"),
        pytest.param([a_series(number, arm=f"arm-{number}") for number in range(12)], id="more series than colors"),
        pytest.param([a_series(math.nan, arm="a"), a_series(math.inf, arm="b")], id="values that are no numbers"),
        pytest.param([a_series(1.0, until=START + 60, arm="gone")], id="a series that ended long ago"),
    ],
)
def test_every_panel_is_drawn_whatever_the_server_holds(tmp_path: Path, answer):
    server = Recorded("http://nowhere", START, END, answer)
    draw(server, tmp_path / "screen.png")

    assert (tmp_path / "screen.png").read_bytes().startswith(b"\x89PNG")
    assert len(server.asked) >= 10
    assert len(set(server.asked)) >= 10, "each panel has queries of its own"
