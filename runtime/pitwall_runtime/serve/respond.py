"""Writes a question's result as the response that its asker gets."""

import time
import uuid
from dataclasses import asdict

from pitwall_crds.variant import SamplerVariant
from pitwall_runtime.pipeline.asked import Result
from pitwall_runtime.serve import schema


def response(variant: SamplerVariant, result: Result, video: str) -> schema.ChatResponse:
    """The response with what the answer stands on; `video` is the digest of what was asked about."""
    completion = result.answer.completion_tokens
    moments = tuple(
        schema.MomentOut(
            start_seconds=moment.start_seconds,
            end_seconds=moment.end_seconds,
            pts_seconds=moment.pts_seconds,
            label=moment.label,
            score=round(moment.score, 4),
        )
        for moment in result.answer.moments
    )
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
            moments=moments,
            frames=tuple(result.pool.seconds(index) for index in result.selection.indices),
            damage=tuple(schema.DamageOut(**asdict(stretch)) for stretch in result.pool.damage),
            tokens=result.visual_tokens,
            frame_selection_seconds=result.stages["select"],
            cache="cold" if result.cold else "warm",
            stages=result.stages,
            video=video,
        ),
    )
