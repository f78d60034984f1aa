"""Loads the film's annotated moments and questions, and explains what is wrong with a bad file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

FILM_FOLDER: Final = Path(__file__).resolve().parent.parent / "film"


class AnnotationError(ValueError):
    """An annotation file that contradicts itself; the message holds the value, the limit and the remedy."""


@dataclass(frozen=True, slots=True)
class AnnotatedMoment:
    """Something seen in the film during [start_seconds, end_seconds)."""

    id: str
    start_seconds: float
    end_seconds: float
    seen: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnnotatedQuestion:
    """What a user asks, the ids of the moments that truly answer it, and how many different ones the answer needs."""

    id: str
    ask: str
    follow_up: str
    moments: tuple[str, ...]
    at_least: int


@dataclass(frozen=True, slots=True)
class Annotations:
    """One film's moments by id, in film order, and the questions about it."""

    duration_seconds: float
    moments: dict[str, AnnotatedMoment]
    questions: tuple[AnnotatedQuestion, ...]


def load(folder: Path = FILM_FOLDER, *, film: str = "big_buck_bunny") -> Annotations:
    """The annotations in `folder`; raises AnnotationError where they contradict themselves."""
    described = _read(folder / f"{film}.moments.yaml")
    duration_seconds = float(described["duration_seconds"])
    moments = {row["id"]: _moment(row, duration_seconds) for row in described["moments"]}
    if len(moments) != len(described["moments"]):
        raise AnnotationError(
            f"{film}: {len(described['moments'])} moments have {len(moments)} ids; rename the doubles"
        )
    questions = tuple(_question(row, moments) for row in _read(folder / "questions.yaml")["questions"])
    if len({question.id for question in questions}) != len(questions):
        raise AnnotationError(f"{film}: two questions have the same id; rename one")
    return Annotations(duration_seconds, moments, questions)


def _read(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise AnnotationError(f"{path.name} holds {type(content).__name__}, not a mapping; restore the file")
    return content


def _moment(row: dict[str, Any], duration_seconds: float) -> AnnotatedMoment:
    """One checked row of `moments`."""
    moment = AnnotatedMoment(
        row["id"], float(row["start_seconds"]), float(row["end_seconds"]), row["seen"], tuple(row["tags"])
    )
    if not 0 <= moment.start_seconds < moment.end_seconds <= duration_seconds:
        raise AnnotationError(
            f"moment {moment.id} is [{moment.start_seconds}, {moment.end_seconds}); "
            f"write 0 <= start_seconds < end_seconds <= {duration_seconds}"
        )
    return moment


def _question(row: dict[str, Any], moments: dict[str, AnnotatedMoment]) -> AnnotatedQuestion:
    """One checked row of `questions`, its tag replaced by the ids of the moments that carry it."""
    named = row.get("moments", [])
    unknown = [moment_id for moment_id in named if moment_id not in moments]
    tagged = [moment.id for moment in moments.values() if row.get("tagged") in moment.tags]
    answers = tuple(dict.fromkeys([*named, *tagged]))
    at_least = int(row.get("at_least", 1))
    if unknown or not 1 <= at_least <= min(2, len(answers)):
        raise AnnotationError(
            f"question {row['id']} names unknown moments {unknown} or needs {at_least} of {len(answers)}; "
            "name annotated moments, and at_least 1 or 2 of them"
        )
    return AnnotatedQuestion(row["id"], row["ask"], row["follow_up"], answers, at_least)
