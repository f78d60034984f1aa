"""Published code, read from a checkout that the caller names: the functions that choose, and nothing else of it."""

import ast
import heapq
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Choose = Callable[[np.ndarray, int], list[int]]
"""(scores [N], one a second, budget) -> frames."""

_DEFINITIONS = {"aks": {"meanstd"}, "bolt": {"inverse_transform_sampling"}, "focus": {"estimate_arm_scores", "FOCUS"}}


def load(given: list[str]) -> dict[str, Choose]:
    """What is named as NAME=FILE. Raises SystemExit with the reason for what cannot be read."""
    found = {}
    for one in given:
        name, _, file = one.partition("=")
        if name not in _DEFINITIONS or not Path(file).is_file():
            raise SystemExit(f"--official {one}: write one of {', '.join(_DEFINITIONS)}, =, and its file")
        names = _namespace(Path(file), _DEFINITIONS[name])
        found[f"{name}, official"] = {"aks": _aks, "bolt": _bolt, "focus": _focus}[name](names)
    return found


def _namespace(file: Path, wanted: set[str]) -> dict[str, Any]:
    """The wanted functions and classes of a file, with the names that they use."""
    import typing

    tree = ast.parse(file.read_text())
    kept = [node for node in tree.body if getattr(node, "name", "") in wanted]
    if {node.name for node in kept} != wanted:  # type: ignore[attr-defined]
        raise SystemExit(f"{file} does not define {', '.join(sorted(wanted))}; it is another version")
    names: dict[str, Any] = {"np": np, "heapq": heapq, "math": math, "VideoReader": object, **vars(typing)}
    exec(compile(ast.Module(kept, []), str(file), "exec"), names)  # noqa: S102 - the caller's own checkout
    return names


def _aks(names: dict[str, Any]) -> Choose:
    def choose(scores: np.ndarray, budget: int) -> list[int]:
        normal = (scores - scores.min()) / (scores.max() - scores.min())
        whole = [{"score": normal, "depth": 0}]
        parts, frames = names["meanstd"](len(scores), whole, budget, [list(range(len(scores)))], 0.8, -100, 5)
        chosen = []
        for part, numbers in zip(parts, frames, strict=True):
            count = int(budget / 2 ** part["depth"])
            best = heapq.nlargest(count, range(len(part["score"])), part["score"].__getitem__)
            chosen += [numbers[at] for at in best]
        return sorted(chosen)

    return choose


def _bolt(names: dict[str, Any]) -> Choose:
    def choose(scores: np.ndarray, budget: int) -> list[int]:
        return list(names["inverse_transform_sampling"](scores, budget, 3))

    return choose


def _focus(names: dict[str, Any]) -> Choose:
    class OneFpsVideo:
        """One frame a second."""

        def __init__(self, frames: int) -> None:
            self._frames = frames

        def __len__(self) -> int:
            return self._frames

        def get_avg_fps(self) -> float:
            return 1.0

    def choose(scores: np.ndarray, budget: int) -> list[int]:
        bandit = names["FOCUS"](lambda _video, _query, frames: [float(scores[frame]) for frame in frames])
        frames, _ = bandit.select_keyframes(OneFpsVideo(len(scores)), "", budget, rng=np.random.default_rng(42))
        return list(frames)

    return choose
