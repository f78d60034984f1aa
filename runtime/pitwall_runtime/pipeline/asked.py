"""A question on its way through the pipeline: begun, with its video prepared, and finished, with its answer."""

from contextlib import ExitStack
from dataclasses import dataclass

from pitwall_runtime.media import Caption, FramePool, Selection
from pitwall_runtime.pipeline.excerpt import Excerpt
from pitwall_runtime.pipeline.question_features import QuestionFeatures
from pitwall_runtime.stages.answer.port import Answer


@dataclass(frozen=True, slots=True)
class Result:
    """An answer with everything that was spent on it."""

    answer: Answer
    pool: FramePool
    selection: Selection
    visual_tokens: int
    prompt_tokens: int
    stages: dict[str, float]
    cold: bool


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """A question whose video is prepared and kept in the cache until it is closed, with what each stage took so far."""

    question: str
    excerpt: Excerpt
    subtitles: tuple[Caption, ...]
    features: QuestionFeatures
    stages: dict[str, float]
    using: ExitStack

    @property
    def pool(self) -> FramePool:
        """The pool that the excerpt is of."""
        return self.excerpt.pool

    def __enter__(self) -> "AskedQuestion":
        return self

    def __exit__(self, *_: object) -> None:
        self.using.close()
