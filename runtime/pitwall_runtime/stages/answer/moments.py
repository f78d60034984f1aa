"""Answers without a language model: groups the chosen frames into moments and names the best ones with their times."""

from collections.abc import Sequence
from itertools import pairwise

from pitwall_runtime.media import clock
from pitwall_runtime.stages.answer.port import Answer, Brief, Evidence, Moment

_SAID = 3
_LABELS_SAID = 2
_NEIGHBOUR_FRAMES = 4.0
"""Frames of one shot belong to one moment if at most this many pool intervals lie between them."""


def group(evidence: Sequence[Evidence]) -> tuple[Moment, ...]:
    """Moments, best first. Neighbours within a shot become one, scored by their best frame."""
    if not evidence:
        return ()
    groups = [[evidence[0]]]
    for earlier, later in pairwise(evidence):
        if _are_neighbours(earlier, later):
            groups[-1].append(later)
        else:
            groups.append([later])
    return tuple(sorted(map(_moment, groups), key=lambda moment: (-moment.score, moment.start_seconds)))


def _are_neighbours(earlier: Evidence, later: Evidence) -> bool:
    interval = earlier.end_seconds - earlier.seconds
    return later.shot == earlier.shot and later.seconds - earlier.seconds <= _NEIGHBOUR_FRAMES * interval


def _moment(frames: list[Evidence]) -> Moment:
    best = max(frames, key=lambda frame: frame.score)
    label = ", ".join(best.labels[:_LABELS_SAID])
    return Moment(frames[0].seconds, frames[-1].end_seconds, best.seconds, label, best.score)


def say(moment: Moment) -> str:
    """A moment in words: `5:16–5:18 (bow, quill)`."""
    label = f" ({moment.label})" if moment.label else ""
    return f"{clock(moment.start_seconds)}–{clock(moment.end_seconds)}{label}"


class MomentsEngine:
    """Answers with times and labels. It does not reason: it finds."""

    sees_frames = False

    def answer(self, brief: Brief) -> Answer:
        """The best moments in one or two sentences."""
        if not brief.moments:
            return Answer("Nothing was found in this video.", (), 6)
        first, *others = brief.moments[:_SAID]
        text = f"Best match at {say(first)}."
        if others:
            text += f" Also at {'; '.join(map(say, others))}."
        return Answer(text, brief.moments, len(text.split()))
