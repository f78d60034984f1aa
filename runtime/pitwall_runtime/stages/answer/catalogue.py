"""Loads the answer engine that a variant names."""

from pathlib import Path

from pitwall_crds.variant.variant import AnswerEngine, AnswerSpec
from pitwall_runtime.stages.answer.moments import MomentsEngine
from pitwall_runtime.stages.answer.port import AnsweringEngine


def build(spec: AnswerSpec, cache_dir: Path) -> AnsweringEngine:
    """Heavy engines are imported only when they are asked for."""
    match spec.engine:
        case AnswerEngine.MOMENTS:
            return MomentsEngine()
        case AnswerEngine.LOCAL:
            from pitwall_runtime.stages.answer.local import LocalEngine

            return LocalEngine(spec.max_tokens, cache_dir)
        case AnswerEngine.OPENAI:
            from pitwall_runtime.stages.answer.openai import OpenAiEngine

            return OpenAiEngine(spec)
