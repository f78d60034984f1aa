"""Logic tree: takes a question apart into things seen, said and found, and follows how well each moment satisfies them.

Like HiMu (Ben-Ami et al., 2026, arXiv 2603.18558), for the signals that exist: pictures always, subtitles and
detections where the variant has them. A model takes the question apart, once and by words alone; without one, the
question's own parts are joined. Frames are chosen along the curve as `quota` does.
"""

import re
from typing import Annotated, Final

import numpy as np
from pydantic import Field

from pitwall_crds.resource import Border
from pitwall_runtime.media import Selection
from pitwall_runtime.samplers.arithmetic.curve import Curve, deviations, smooth
from pitwall_runtime.samplers.composed.dialogue import NO_REPLY
from pitwall_runtime.samplers.composed.satisfaction import Branch, Join, Leaf, Sense, Tree, parse, satisfaction
from pitwall_runtime.samplers.contract import Input, Sampler, SamplerContext, Stability
from pitwall_runtime.samplers.segments import quota

_MIDDLE_DEVIATIONS: Final = 2.0
"""A frame so many deviations above the video's median half satisfies its leaf."""

_PROMPT: Final = """Take this question about a video apart into what must be seen or heard to answer it.
Reply with one JSON object and nothing else. A node is one of
{{"see": "what a picture shows"}}, {{"hear": "words that are said"}}, {{"find": "an object's name"}},
{{"all": [nodes]}}, {{"any": [nodes]}}, {{"then": [nodes in the order of time]}}, {{"rightAfter": [nodes]}}.
Use at most eight leaves, each a short phrase. Question: {question}"""


class LogicTreeParameters(Border):
    """How a question is taken apart without a model, and how long "right after" is."""

    join: Annotated[Join, Field(description="How sub-questions are joined without a model.")] = Join.ANY
    right_after_seconds: Annotated[int, Field(ge=1, le=3600, description="How long something is right after.")] = 15


async def select(context: SamplerContext, parameters: LogicTreeParameters) -> Selection:
    """Exactly `budget` frames."""
    tree, source = await _tree(context, parameters.join)
    curve = satisfaction(tree, lambda leaf: leaf_curve(leaf, context), _frames(context, parameters.right_after_seconds))
    return Selection.of(quota.along(curve.astype(np.float32), context), tree=source)


async def _tree(context: SamplerContext, join: Join) -> tuple[Tree, str]:
    """The question's tree, and where it comes from."""
    asked = ""
    try:
        tree = parse(await context.ask(_PROMPT.format(question=context.question)))
        if tree is not None:
            return tree, "model"
        asked = "; the model sent no tree"
    except NO_REPLY as error:
        asked = f"; {type(error).__name__}"
    parts = tuple(Leaf(Sense.SEE, text) for text in context.sub_questions if text.strip())
    if not parts:
        return Leaf(Sense.SEE, context.question), f"question{asked}"
    return Branch(join, parts), f"sub-questions{asked}"


def leaf_curve(leaf: Leaf, context: SamplerContext) -> Curve:
    """How well each frame satisfies a leaf, 0 to 1. A sense that nobody has is replaced by looking.

    So are the ears in a video without subtitles: that nothing is written down does not say that nothing is said.
    """
    if leaf.sense is Sense.HEAR and context.signals.subtitles:
        return _said(leaf.words, context)
    if leaf.sense is Sense.FIND and context.signals.detections is not None:
        return _found(leaf.words, context)
    return 1.0 / (1.0 + np.exp(_MIDDLE_DEVIATIONS - deviations(smooth(context.scores(leaf.words)))))


def _said(words: str, context: SamplerContext) -> Curve:
    """The greatest share of the words that one caption has, while it shows."""
    curve, wanted = np.zeros(context.pool_size), _terms(words)
    for caption in context.signals.subtitles or ():
        share = len(wanted & _terms(caption.text)) / max(1, len(wanted))
        first, last = np.searchsorted(context.pts_seconds, [caption.start_seconds, caption.end_seconds])
        curve[first:last] = np.maximum(curve[first:last], share)
    return curve


def _found(words: str, context: SamplerContext) -> Curve:
    """The greatest confidence of an object whose name is among the words."""
    curve, wanted = np.zeros(context.pool_size), _terms(words)
    for detection in context.signals.detections or ():
        if _terms(detection.label) & wanted and 0 <= detection.index < len(curve):
            curve[detection.index] = max(curve[detection.index], min(1.0, max(0.0, detection.confidence)))
    return curve


def _terms(text: str) -> set[str]:
    """Words of three letters and more, or of any script without spaces."""
    return {word for word in re.findall(r"\w+", text.lower()) if len(word) > 2 or not word.isascii()}


def _frames(context: SamplerContext, seconds: float) -> float:
    return max(1.0, seconds / float(context.durations_seconds.mean()))


SAMPLER = Sampler(
    name="logic-tree",
    select=select,
    parameters=LogicTreeParameters,
    contract=1,
    stability=Stability.ALPHA,
    summary="Takes the question apart into things seen, said and found, joined by and, or, then; follows the whole.",
    source="after Ben-Ami et al., 2026, arXiv 2603.18558",
    uses=frozenset({Input.SCORES, Input.EMBEDDINGS, Input.SUBTITLES, Input.DETECTIONS, Input.MODEL}),
)
