"""What a sampler asks for, seen from inside its context: each input with the line that first asked for it."""

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from pitwall_runtime.media import Floats
from pitwall_runtime.samplers.containment import own_line
from pitwall_runtime.samplers.contract import FeatureSource, Indices, Input, SamplerContext, Signals

SIGNALS: Final[Mapping[str, Input]] = {
    "key_frames": Input.KEY_FRAMES,
    "subtitles": Input.SUBTITLES,
    "detections": Input.DETECTIONS,
}
"""The fields of Signals."""


class WatchedFeatures:
    """Features that remember at which line of the sampler each input was first asked for."""

    def __init__(self, inner: FeatureSource, select: Any) -> None:
        self._inner, self._select = inner, select
        self.asked: dict[Input, str] = {}

    def embeddings(self, indices: Indices | None) -> Floats:
        """As the inner ones."""
        self.note(Input.EMBEDDINGS)
        return self._inner.embeddings(indices)

    def scores(self, indices: Indices | None, query: str) -> Floats:
        """As the inner ones."""
        self.note(Input.SCORES)
        return self._inner.scores(indices, query)

    def note(self, what: Input) -> None:
        """The line that asks now, if it is the first one for this input."""
        if what not in self.asked:
            self.asked[what] = own_line(self._select, traceback.extract_stack())


class WatchedSignals(Signals):
    """Signals that tell the features which of them is looked at."""

    def __getattribute__(self, name: str) -> Any:
        if name in SIGNALS:
            source = object.__getattribute__(self, "__dict__").get("source")
            if source:  # a copy that a sampler makes has none
                source.note(SIGNALS[name])
        return object.__getattribute__(self, name)


class WatchedContext(SamplerContext):
    """A context that tells its features of questions to the model, whether there is one or not."""

    async def ask(self, prompt: str, indices: Sequence[int] = ()) -> str:
        """As SamplerContext."""
        if isinstance(self.features, WatchedFeatures):
            self.features.note(Input.MODEL)
        return await SamplerContext.ask(self, prompt, indices)


def watched(context: SamplerContext, select: Any) -> tuple[SamplerContext, Mapping[Input, str]]:
    """The same context, and what will have been asked of it."""
    features = WatchedFeatures(context.features, select)
    signals = WatchedSignals(**{name: getattr(context.signals, name) for name in SIGNALS})
    object.__setattr__(signals, "source", features)
    same = {one.name: getattr(context, one.name) for one in fields(context) if one.init}
    return WatchedContext(**{**same, "features": features, "signals": signals}), features.asked
