"""Expansion: looks for several descriptions of what would answer the question; each frame counts by its best match.

The part of MSJoE (CVPR 2026, arXiv 2602.22932) that needs no training: a model writes a few visual queries, a frame is
as relevant as to the query that it matches best. Without a model the question's own parts are the queries.
"""

import re
from typing import Annotated, Final

import numpy as np
from pydantic import Field

from pitwall_crds.resource import Border
from pitwall_runtime.errors import AllowanceSpentError
from pitwall_runtime.media import Selection
from pitwall_runtime.samplers.arithmetic.curve import Curve, deviations
from pitwall_runtime.samplers.composed.dialogue import NO_REPLY
from pitwall_runtime.samplers.contract import Input, Sampler, SamplerContext, Stability
from pitwall_runtime.samplers.segments import quota

_MOST_WORDS = 200
_PROMPT = """A search engine looks for pictures of a video that answer a question.
Write {count} short descriptions of such pictures, each on a line of its own, and nothing else. Question: {question}"""

_MARK: Final = re.compile(r"\A[\s\d.)*•\-\"“]+")
_QUOTE: Final = re.compile(r"\A[\s\"”]+")
"""Of a line that is turned round: looking for what stands at its end would begin anew at every blank."""


class ExpansionParameters(Border):
    """How many queries."""

    queries: Annotated[int, Field(ge=1, le=16, description="At most so many descriptions beside the question.")] = 4


async def select(context: SamplerContext, parameters: ExpansionParameters) -> Selection:
    """Exactly `budget` frames, and how many texts they were looked for by."""
    queries, source = await _queries(context, parameters.queries)
    curves: list[Curve] = [deviations(context.scores())]
    for query in queries:
        try:
            curves.append(deviations(context.scores(query)))
        except AllowanceSpentError:  # the curves so far are an answer, too
            source += ", allowance spent"
            break
    best = np.max(curves, axis=0).astype(np.float32)
    return Selection.of(quota.along(best, context), queries=len(curves), source=source)


async def _queries(context: SamplerContext, count: int) -> tuple[list[str], str]:
    given = [text for text in context.sub_questions if text.strip()][:count]
    try:
        reply = await context.ask(_PROMPT.format(count=count, question=context.question))
    except NO_REPLY as error:
        return given, f"sub-questions; {type(error).__name__}"
    written = lines(reply)[:count]
    return (written, "model") if written else (given, "sub-questions; the model wrote none")


def lines(reply: str) -> list[str]:
    """The descriptions in a reply: its lines without numbers, dashes and quotes."""
    bare = (_MARK.sub("", _QUOTE.sub("", line[::-1])[::-1]) for line in reply.splitlines())
    return list(dict.fromkeys(line[:_MOST_WORDS] for line in bare if re.search(r"\w", line)))


SAMPLER = Sampler(
    name="expansion",
    select=select,
    parameters=ExpansionParameters,
    contract=1,
    stability=Stability.ALPHA,
    summary="A model describes what would answer the question; a frame is as relevant as to its best description.",
    source="after MSJoE, CVPR 2026, arXiv 2602.22932",
    uses=frozenset({Input.SCORES, Input.EMBEDDINGS, Input.MODEL}),
)
