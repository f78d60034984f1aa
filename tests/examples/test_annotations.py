"""The annotated list of the film: whole, resolvable, and the loader explains a wrong one."""

from pathlib import Path

import pytest
import yaml
from examples.demo.annotations import FILM_FOLDER, AnnotationError, Annotations, load


def test_moments_lie_inside_the_film_and_cover_it(film: Annotations) -> None:
    covered = {
        second
        for moment in film.moments.values()
        for second in range(int(moment.start_seconds), int(moment.end_seconds) + 1)
    }

    assert all(0 <= each.start_seconds < each.end_seconds <= film.duration_seconds for each in film.moments.values())
    assert len(covered) > 0.98 * film.duration_seconds


def test_every_question_resolves_to_moments(film: Annotations) -> None:
    assert all(set(question.moments) <= set(film.moments) and question.moments for question in film.questions)
    assert all(1 <= question.at_least <= 2 for question in film.questions)


def test_questions_and_follow_ups_are_worded_once(film: Annotations) -> None:
    wordings = [text for question in film.questions for text in (question.ask, question.follow_up)]

    assert all(wordings)
    assert len(set(wordings)) == len(wordings)


def test_most_moments_are_asked_about(film: Annotations) -> None:
    asked = {moment_id for question in film.questions for moment_id in question.moments}

    assert len(asked) > 0.9 * len(film.moments)


def test_most_questions_cannot_be_answered_by_naming_anything(film: Annotations) -> None:
    """A question that most of the film answers says nothing about a sampler."""

    def share(moment_ids: tuple[str, ...]) -> float:
        spans = [(film.moments[each].start_seconds - 1, film.moments[each].end_seconds + 1) for each in moment_ids]
        seconds = range(int(film.duration_seconds))
        return sum(any(start <= second < end for start, end in spans) for second in seconds) / film.duration_seconds

    shares = sorted(share(question.moments) for question in film.questions)

    assert shares[len(shares) // 2] < 0.05
    assert shares[-1] < 0.5


def test_the_film_is_credited() -> None:
    described = yaml.safe_load((FILM_FOLDER / "big_buck_bunny.moments.yaml").read_text(encoding="utf-8"))

    assert described["license"] == "CC-BY-3.0"
    assert "Blender Foundation" in described["attribution"]


MOMENT = {"id": "a", "start_seconds": 1, "end_seconds": 2, "tags": ["t"], "seen": "A."}
QUESTION = {"id": "q", "ask": "?", "follow_up": "??", "moments": ["a"]}


@pytest.mark.parametrize(
    ("moments", "questions", "words"),
    [
        pytest.param([{**MOMENT, "end_seconds": 11}], [QUESTION], "moment a is", id="moment-after-the-end"),
        pytest.param([{**MOMENT, "start_seconds": 2}], [QUESTION], "moment a is", id="empty-moment"),
        pytest.param([MOMENT, MOMENT], [QUESTION], "2 moments have 1 ids", id="moment-twice"),
        pytest.param([MOMENT], [QUESTION, QUESTION], "same id", id="question-twice"),
        pytest.param([MOMENT], [{**QUESTION, "moments": ["b"]}], "'b'", id="unknown-moment"),
        pytest.param([MOMENT], [{**QUESTION, "at_least": 2}], "needs 2 of 1", id="needs-more-than-there-are"),
        pytest.param([MOMENT], [{**QUESTION, "moments": [], "tagged": "u"}], "needs 1 of 0", id="unknown-tag"),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, moments: object, questions: object, words: str) -> None:
    (tmp_path / "f.moments.yaml").write_text(yaml.safe_dump({"duration_seconds": 10, "moments": moments}))
    (tmp_path / "questions.yaml").write_text(yaml.safe_dump({"questions": questions}))

    with pytest.raises(AnnotationError, match=words):
        load(tmp_path, film="f")


def test_a_tag_stands_for_every_moment_that_carries_it(tmp_path: Path) -> None:
    moments = [MOMENT, {**MOMENT, "id": "b"}, {**MOMENT, "id": "c", "tags": []}]
    (tmp_path / "f.moments.yaml").write_text(yaml.safe_dump({"duration_seconds": 10, "moments": moments}))
    (tmp_path / "questions.yaml").write_text(yaml.safe_dump({"questions": [{**QUESTION, "tagged": "t"}]}))

    assert load(tmp_path, film="f").questions[0].moments == ("a", "b")
