"""Learned: a scorer with weights of your own, a TorchScript or ONNX file, rates the frames; `quota` or top-k chooses.

The file takes embeddings [N, D] and relevance [N], both float32, and gives N numbers, the higher the better: the form
in which selectors such as Frame-Voyager's or MSJoE's heads can be exported. It runs as a program of the image would:
name only files that you trust.
"""

from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from pitwall_crds.resource import Border
from pitwall_runtime.errors import SamplerFailedError
from pitwall_runtime.media import Floats, Selection
from pitwall_runtime.samplers.arithmetic.curve import best
from pitwall_runtime.samplers.contract import Input, Sampler, SamplerContext, Stability, finite
from pitwall_runtime.samplers.segments import quota

Scorer = Callable[[Floats, Floats], Floats]
"""(embeddings [N, D], relevance [N]) -> ratings [N]."""


class Chooser(StrEnum):
    """Rules that choose by ratings alone."""

    QUOTA = "quota"
    TOPK = "topk"


class LearnedParameters(Border):
    """Which file, and who chooses."""

    path: Annotated[
        str, Field(max_length=1024, description="A .pt or .onnx file in the pod; without one relevance itself rates.")
    ] = ""
    chooser: Annotated[Chooser, Field(description="Who chooses by the ratings.")] = Chooser.QUOTA


def select(context: SamplerContext, parameters: LearnedParameters) -> Selection:
    """Exactly `budget` frames."""
    relevance = context.scores()
    rated = relevance
    if parameters.path:
        file = Path(parameters.path)
        rated = rate(scorer(file, _version(file)), context.embeddings(), relevance, file)
    if parameters.chooser is Chooser.TOPK:
        return Selection.of(best(rated, context.budget), scorer=parameters.path or "relevance")
    return Selection.of(quota.along(rated, context), scorer=parameters.path or "relevance")


def rate(score: Scorer, embeddings: Floats, relevance: Floats, file: Path) -> Floats:
    """The scorer's ratings [N]. Raises SamplerFailedError if they are not one finite number per frame, or so."""
    ratings = np.asarray(score(embeddings, relevance), dtype=np.float32).reshape(-1)
    if len(ratings) != len(relevance):
        raise SamplerFailedError(
            f"{file.name} gave {len(ratings)} ratings for {len(relevance)} frames; it must give one for each"
        )
    return finite(ratings)


def _version(file: Path) -> int:
    """Changes when the file does. Raises SamplerFailedError where there is none."""
    try:
        return file.stat().st_mtime_ns
    except OSError as error:
        raise SamplerFailedError(
            f"there is no scorer at {file} ({error.strerror}); mount the file or mend sampler.parameters.path"
        ) from None


@lru_cache(maxsize=2)
def scorer(file: Path, version: int) -> Scorer:
    """The loaded file. Raises SamplerFailedError if it is no scorer."""
    del version  # a file that has changed is loaded anew
    if file.suffix == ".onnx":
        return _onnx(file)
    if file.suffix in {".pt", ".pth", ".ts"}:
        return _torch_script(file)
    raise SamplerFailedError(f"{file.name} is neither .pt (TorchScript) nor .onnx; export the scorer as one of them")


def _torch_script(file: Path) -> Scorer:
    import torch

    try:
        module: Any = torch.jit.load(str(file), map_location="cpu").eval()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise SamplerFailedError(f"{file.name} is no TorchScript file ({reason}); save it by torch.jit.save") from None

    def score(embeddings: Floats, relevance: Floats) -> Floats:
        with torch.inference_mode():
            ratings: Floats = module(torch.from_numpy(embeddings.copy()), torch.from_numpy(relevance.copy())).numpy()
        return ratings

    return score


def _onnx(file: Path) -> Scorer:
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise SamplerFailedError(
            f"{file.name} needs onnxruntime; install it into the image, or export the scorer as TorchScript"
        ) from None
    try:
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no class of their own
        raise SamplerFailedError(f"{file.name} is no ONNX scorer ({error}); export it anew") from None
    names = [one.name for one in session.get_inputs()]
    if len(names) != 2:
        raise SamplerFailedError(f"{file.name} takes {names}; it must take embeddings and relevance, in this order")

    def score(embeddings: Floats, relevance: Floats) -> Floats:
        ratings: Floats = session.run(None, {names[0]: embeddings, names[1]: relevance})[0]
        return ratings

    return score


SAMPLER = Sampler(
    name="learned",
    select=select,
    parameters=LearnedParameters,
    contract=1,
    stability=Stability.ALPHA,
    summary="A scorer of your own, a TorchScript or ONNX file, rates the frames; quota or top-k chooses.",
    source="after Frame-Voyager, ICLR 2025, and MSJoE, CVPR 2026",
    uses=frozenset({Input.SCORES, Input.EMBEDDINGS}),
)
