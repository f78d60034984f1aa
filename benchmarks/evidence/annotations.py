"""Reads questions with evidence from a file: JSON lines, or one JSON list.

Each row names the arrays of its video beside the file, and the moments that answer its question in seconds:

    {"id": "q7", "scores": "q7.npy", "embeddings": "v3.npy", "pts_seconds": "v3-times.npy", "moments": [[12.0, 15.5]]}

`scores` [N] are a frame's relevance to the question, in any scale; `embeddings` [N, D] and `pts_seconds` [N] (else one
frame a second) may be missing. Moments may stand under the names that public benchmarks give them: `moments`,
`clue_intervals` (CG-Bench), `relevant_windows` (QVHighlights), `timestamps` (Charades-STA, a single pair), `intervals`.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.evidence.cases import EvidenceCase, Interval, length_of

from pitwall_runtime.media import Shot
from pitwall_runtime.samplers.offline import durations

MOMENT_KEYS = ("moments", "clue_intervals", "relevant_windows", "timestamps", "intervals")


def read(file: Path) -> Iterator[EvidenceCase]:
    """The cases of a file. Raises SystemExit with the row and the reason for the first that cannot be used."""
    text = file.read_text(encoding="utf-8")
    try:
        rows = json.loads(text) if text.lstrip().startswith("[") else [json.loads(x) for x in text.splitlines() if x]
    except ValueError as error:
        raise SystemExit(f"{file}: no JSON ({error}); write a list, or one object a line") from None
    for number, row in enumerate(rows, 1):
        try:
            yield _case(row, file.parent, str(row.get("id", number)))
        except (KeyError, ValueError, OSError, TypeError, AttributeError) as error:
            raise SystemExit(f"{file}, row {number}: {error}; see benchmarks/evidence/annotations.py") from None


def _case(row: dict[str, Any], folder: Path, name: str) -> EvidenceCase:
    relevance = np.load(folder / row["scores"]).astype(np.float32).reshape(-1)
    embeddings = np.load(folder / row["embeddings"]).astype(np.float32) if row.get("embeddings") else None
    seconds = np.load(folder / row["pts_seconds"]) if row.get("pts_seconds") else np.arange(len(relevance))
    seconds = seconds.astype(np.float64)
    if len(seconds) != len(relevance) or (embeddings is not None and len(embeddings) != len(relevance)):
        raise ValueError(f"{len(relevance)} scores, {len(seconds)} times; arrays of one video have one length")
    end = float(seconds[-1] + durations(seconds)[-1])
    evidence = _moments(row, end)
    shots = (Shot(0, len(relevance)),)
    return EvidenceCase(name, relevance, embeddings, seconds, shots, evidence, length_of(end))


def _moments(row: dict[str, Any], end: float) -> tuple[Interval, ...]:
    """The row's moments, in time order. Raises ValueError where there is none, or one outside the video."""
    raw = next((row[key] for key in MOMENT_KEYS if row.get(key)), None)
    if raw is None:
        raise ValueError(f"no moments under any of {', '.join(MOMENT_KEYS)}")
    pairs = [raw] if isinstance(raw[0], int | float) else raw
    found = sorted((float(start), float(stop)) for start, stop in pairs)
    for start, stop in found:
        if not 0 <= start < stop or start >= end:
            raise ValueError(f"moment [{start}, {stop}) is none of a video of {end:g} s")
    return tuple(found)
