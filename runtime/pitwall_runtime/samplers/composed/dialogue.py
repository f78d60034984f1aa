"""Searches that ask a model about few frames: the protocol that they speak, and who holds the conversation.

A search is plain state and knows no network: `ask` says what to show next, `learn` takes the reply, `found` is its best
so far at any time. So calls and time may run out anywhere, and the tests hold the conversation themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from pitwall_runtime.errors import AllowanceSpentError, NoModelError, UnavailableError
from pitwall_runtime.samplers.contract import SamplerContext

NO_REPLY: Final = (AllowanceSpentError, NoModelError, UnavailableError)
"""Why a model says nothing: no calls or time left, none there, or it does not answer."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a model is asked, and the frames that it is shown with it."""

    prompt: str
    frames: tuple[int, ...] = ()


class Search(Protocol):
    """A conversation that finds frames."""

    def ask(self) -> Look | None:
        """The next question; None when it is over."""

    def learn(self, reply: str) -> None:
        """What came of the last question. Nonsense teaches nothing, and is no error."""

    def found(self) -> Sequence[int]:
        """The frames that matter, the best first; maybe none, maybe more than the budget."""


async def converse(context: SamplerContext, search: Search) -> str:
    """Hold the conversation until it is over or nobody replies; why it ended."""
    while (look := search.ask()) is not None:
        try:
            reply = await context.ask(look.prompt, look.frames)
        except NO_REPLY as error:
            return type(error).__name__
        search.learn(reply)
    return "over"


def clock(seconds: float) -> str:
    """A time as the prompts write it, MM:SS."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:02d}:{rest:02d}"
