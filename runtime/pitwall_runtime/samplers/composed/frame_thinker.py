"""FrameThinker's protocol: a model sees evenly spread frames and asks for stretches to look at, until it can answer.

2025 (arXiv 2509.24304): each turn it names an action: `choose frames between A and B`, `get frame number at time MM:SS`
or `output answer`. At most five turns and three replies without an action. Frames of the latest stretches come first;
what is missing comes from `quota`. The answer itself is the answer engine's work.
"""

import re
from dataclasses import dataclass, field
from typing import Annotated, Final

import numpy as np
from pydantic import Field

from pitwall_crds.resource import Border
from pitwall_runtime.media import Selection
from pitwall_runtime.samplers.arithmetic.curve import Curve, evenly
from pitwall_runtime.samplers.composed.dialogue import Look, clock, converse
from pitwall_runtime.samplers.composed.remainder import completed
from pitwall_runtime.samplers.contract import Input, Sampler, SamplerContext, Stability

_MOST_SILENT: Final = 3
_LONG_SECONDS: Final = 300.0
_FRAMES: Final = 8
_FRAMES_OF_LONG: Final = 12
_CHOOSE: Final = re.compile(r"choose frames? between (\d+) and (\d+)", re.IGNORECASE)
_NUMBER: Final = re.compile(r"get frame number at time (?:(\d+):)?(\d+):(\d+)", re.IGNORECASE)
_ANSWER: Final = re.compile(r"output answer", re.IGNORECASE)

_PROMPT: Final = """Question about a video of {length} with frames 0 to {last}: {question}
You look for the frames that answer it. You see {shown}.
{history}Think, then end with exactly one action:
<action>choose frames between A and B</action> to see frames of a stretch,
<action>get frame number at time MM:SS</action> to learn a number, or
<action>output answer</action> when the frames that you have seen are enough."""


class FrameThinkerParameters(Border):
    """As in the paper."""

    turns: Annotated[int, Field(ge=0, le=32, description="At most so many questions to the model.")] = 5


@dataclass(slots=True)
class FrameThinkerSearch:
    """A conversation about N frames at times [N]: what was shown, and the stretches that the model asked for."""

    question: str
    seconds: Curve
    parameters: FrameThinkerParameters
    show: tuple[int, ...] = ()
    stretches: list[tuple[int, ...]] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    turns: int = 0
    silent: int = 0
    is_over: bool = False

    def __post_init__(self) -> None:
        self.show = self._of(0, len(self.seconds) - 1)

    def ask(self) -> Look | None:
        """The frames of the last action, and what was done so far."""
        if self.is_over or self.turns >= self.parameters.turns or self.silent >= _MOST_SILENT:
            return None
        self.turns += 1
        shown = ", ".join(f"frame {frame} at {clock(self.seconds[frame])}" for frame in self.show) or "no frames now"
        text = _PROMPT.format(
            length=clock(float(self.seconds[-1])),
            last=len(self.seconds) - 1,
            question=self.question,
            shown=shown,
            history="".join(f"You did: {line}.\n" for line in self.history),
        )
        return Look(text, self.show)

    def learn(self, reply: str) -> None:
        """Do the last action of the reply."""
        if stretch := _last(_CHOOSE, reply):
            first, last = sorted(min(int(number), len(self.seconds) - 1) for number in stretch.groups())
            self.show = self._of(first, last)
            self.stretches.append(self.show)
            self.history.append(f"choose frames between {first} and {last}")
        elif moment := _last(_NUMBER, reply):
            hours, minutes, seconds = (int(part or 0) for part in moment.groups())
            wanted = hours * 3600 + minutes * 60 + seconds
            frame = int(np.argmin(np.abs(self.seconds - wanted)))
            self.show = ()
            self.history.append(f"get frame number at time {clock(wanted)}: it is {frame}")
        elif _ANSWER.search(reply):
            self.is_over = True
            return
        else:
            self.silent += 1
            return
        self.silent = 0

    def found(self) -> list[int]:
        """Frames of the stretches that the model asked for, the latest stretch first."""
        return list(dict.fromkeys(frame for stretch in reversed(self.stretches) for frame in stretch))

    def _of(self, first: int, last: int) -> tuple[int, ...]:
        """Frames to show of [first, last]: eight, or twelve of more than five minutes."""
        is_long = float(self.seconds[last] - self.seconds[first]) > _LONG_SECONDS
        count = min(_FRAMES_OF_LONG if is_long else _FRAMES, last + 1 - first)
        return tuple((first + evenly(last + 1 - first, count)).tolist())


def _last(pattern: re.Pattern[str], reply: str) -> re.Match[str] | None:
    found = list(pattern.finditer(reply))
    return found[-1] if found else None


async def select(context: SamplerContext, parameters: FrameThinkerParameters) -> Selection:
    """Exactly `budget` frames: of the stretches that the model looked at, then those of `quota`."""
    search = FrameThinkerSearch(context.question, context.pts_seconds, parameters)
    ended = await converse(context, search)
    frames = completed(search.found(), (), context.scores(), context)
    return Selection.of(frames, stretches=len(search.stretches), turns=search.turns, ended=ended)


SAMPLER = Sampler(
    name="frame-thinker",
    select=select,
    parameters=FrameThinkerParameters,
    contract=1,
    stability=Stability.ALPHA,
    summary="A model sees evenly spread frames and asks for stretches to look at, until it could answer.",
    source="FrameThinker, 2025, arXiv 2509.24304",
    uses=frozenset({Input.SCORES, Input.EMBEDDINGS, Input.MODEL}),
)
