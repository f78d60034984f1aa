"""Writes an answer as OpenAI's clients read it, in the thread that made it: the event loop has it as bytes."""

import time
import uuid

from pitwall_crds.variant.variant import SamplerVariant
from pitwall_runtime.pipeline.asked import Result
from pitwall_runtime.serve import schema
from pitwall_runtime.stages.answer.port import Moment


def written(variant: SamplerVariant, result: Result, video: str) -> bytes:
    """The chat completion. `video` is the digest of what it is about. Whatever it lists has its bound where it is
    made: frames and moments by the variant, what is damaged by the film's pool, the words by the answer engine."""
    return _completion(variant, result, video).model_dump_json().encode()


def _completion(variant: SamplerVariant, result: Result, video: str) -> schema.ChatResponse:
    completion, damage = result.answer.completion_tokens, result.pool.damage
    return schema.ChatResponse(
        id=f"chatcmpl-{uuid.uuid4().hex}",
        created=int(time.time()),
        model=variant.metadata.name,
        choices=(schema.Choice(message=schema.ReplyMessage(content=result.answer.text)),),
        usage=schema.Usage(
            prompt_tokens=result.prompt_tokens,
            completion_tokens=completion,
            total_tokens=result.prompt_tokens + completion,
        ),
        pitwall=schema.Extension(
            sampler_variant=variant.metadata.name,
            answer_engine=variant.spec.answer.engine,
            moments=tuple(map(_moment, result.answer.moments)),
            frames=tuple(result.pool.seconds(index) for index in result.selection.indices),
            damage=tuple(map(schema.DamageOut.of, damage)),
            damaged=schema.DamagedOut.of(damage),
            tokens=result.visual_tokens,
            frame_selection_seconds=result.stages["select"],
            cache="cold" if result.cold else "warm",
            stages=result.stages,
            video=video,
        ),
    )


def _moment(moment: Moment) -> schema.MomentOut:
    return schema.MomentOut(
        start_seconds=moment.start_seconds,
        end_seconds=moment.end_seconds,
        pts_seconds=moment.pts_seconds,
        label=moment.label,
        score=round(moment.score, 4),
    )
