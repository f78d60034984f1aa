"""Router: short videos and questions about the whole go to uniform, all others to a sampler that follows the question.

Evenly spread frames answer "what is this video about" as well as any search, and a minute of video fits into the budget
(Li et al., DIG, CVPR 2026, arXiv 2512.04000).
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from pitwall_crds.resource import Border
from pitwall_runtime.media import Selection
from pitwall_runtime.samplers.arithmetic.curve import evenly
from pitwall_runtime.samplers.contract import Input, Sampler, SamplerContext, Stability
from pitwall_runtime.samplers.diversity import adard, mmr
from pitwall_runtime.samplers.relevance import aks, topk
from pitwall_runtime.samplers.segments import qca, quota, wfs_sb


class Local(StrEnum):
    """Samplers that follow a question about a part of the video."""

    QUOTA = "quota"
    AKS = "aks"
    WFS_SB = "wfs-sb"
    QCA = "qca"
    ADARD = "adard"
    MMR = "mmr"
    TOPK = "topk"


_LOCAL: Final[Mapping[Local, Callable[[SamplerContext], Selection]]] = {
    Local.QUOTA: lambda context: quota.select(context, quota.QuotaParameters()),
    Local.AKS: lambda context: aks.select(context, aks.AksParameters()),
    Local.WFS_SB: lambda context: wfs_sb.select(context, wfs_sb.WfsSbParameters()),
    Local.QCA: lambda context: qca.select(context, qca.QcaParameters()),
    Local.ADARD: lambda context: adard.select(context, adard.AdaRdParameters()),
    Local.MMR: lambda context: mmr.select(context, mmr.MmrParameters()),
    Local.TOPK: lambda context: topk.select(context, topk.TopKParameters()),
}

_GLOBAL: Final = re.compile(
    r"\b(summar(y|i[sz]e\w*)|overall|genre|in general|mainly|"
    r"(main|central|overarching|primary) (topic|theme|idea|point|subject|message|purpose|content|focus|goal)|"
    r"(whole|entire) (video|film|movie|clip|story)|"
    r"(video|film|movie|clip|documentary|lecture)( is| was)? (all |mostly |primarily )?about|"
    r"what (is|was) (this|the) (video|film|movie|clip|documentary|lecture)( all| mostly| primarily)? about)\b",
    re.IGNORECASE,
)


class RouterParameters(Border):
    """Where the road forks; decimals travel as strings."""

    short_seconds: Annotated[Decimal, Field(ge=0, le=36_000, description="Videos up to this length go to uniform.")] = (
        Decimal(60)
    )
    local: Annotated[
        Local, Field(description="Who answers questions about a part of a longer video, with its own defaults.")
    ] = Local.QUOTA


def is_global(question: str) -> bool:
    """Whether an English question asks about the video as a whole; of any other question that is not known."""
    return _GLOBAL.search(question) is not None


def select(context: SamplerContext, parameters: RouterParameters) -> Selection:
    """Exactly `budget` frames, and which way was taken."""
    route = _route(context, float(parameters.short_seconds))
    if route != "local":
        return Selection.of(evenly(context.pool_size, context.budget), route=route)
    return Selection.of(_LOCAL[parameters.local](context).indices, route=f"local: {parameters.local}")


def _route(context: SamplerContext, short_seconds: float) -> str:
    if float(context.durations_seconds.sum()) <= short_seconds:
        return "short"
    return "global" if is_global(context.question) else "local"


SAMPLER = Sampler(
    name="router",
    select=select,
    parameters=RouterParameters,
    contract=1,
    stability=Stability.BETA,
    summary="Short videos and questions about the whole go to uniform, all others to a sampler that follows them.",
    source="after Li et al., CVPR 2026, arXiv 2512.04000",
    uses=frozenset({Input.SCORES, Input.EMBEDDINGS}),
)
