"""Lets a sampler ask the answer engine about pool frames."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.media import FramePool
from pitwall_runtime.pipeline.question_features import QuestionFeatures
from pitwall_runtime.stages.answer.port import AnsweringEngine, Brief, Evidence


@dataclass(frozen=True, slots=True)
class EngineModel:
    """The engine as a model for one question's sampler: every prompt is a brief of its own, within the deadline."""

    engine: AnsweringEngine
    features: QuestionFeatures
    jpeg: Callable[[FramePool, int], bytes]
    tokens_per_frame: int

    async def ask(self, prompt: str, indices: Sequence[int]) -> str:
        """The engine's words. Whoever no longer waits for them closes the connection."""
        deadline = Deadline(self.features.deadline.remaining())
        try:
            return await asyncio.to_thread(self._asked, prompt, indices, deadline)
        except asyncio.CancelledError:
            deadline.give_up()
            raise

    def _asked(self, prompt: str, indices: Sequence[int], deadline: Deadline) -> str:
        pool = self.features.pool

        def jpegs() -> list[bytes]:
            return [self.jpeg(pool, index) for index in indices]

        frames = [
            Evidence(index, pool.seconds(index), pool.seconds(index + 1), pool.shot_of(index).start, 0.0, ())
            for index in indices
        ]
        return self.engine.answer(
            Brief(prompt, frames, (), jpegs, (self.tokens_per_frame,) * len(frames), deadline)
        ).text
