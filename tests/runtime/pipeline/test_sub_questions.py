"""Parts of a question: sentences, choices and what comes before and after; none where there is but one thing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall_runtime.pipeline.sub_questions import parts


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        pytest.param("arrows and a bow", (), id="a list of things is one question"),
        pytest.param("", (), id="no words"),
        pytest.param("What happens after the rabbit wakes up?", (), id="what happens shows nothing"),
        pytest.param(
            "The rabbit wakes up. Where does the butterfly sit?",
            ("The rabbit wakes up", "Where does the butterfly sit"),
            id="sentences",
        ),
        pytest.param(
            "Does the squirrel draw its bow before the apple falls, or after the rabbit laughs?",
            ("Does the squirrel draw its bow", "the apple falls", "the rabbit laughs"),
            id="words of time",
        ),
        pytest.param(
            "When the apple falls, what does the rabbit do then?",
            (),
            id="a word of time at the end divides nothing",
        ),
        pytest.param(
            "What does it hold? (A) An apple (B) a bow (C) None of these",
            ("What does it hold", "An apple", "a bow", "None of these"),
            id="choices",
        ),
        pytest.param(
            "Which is seen first?\nA. a 3.5 m wall\nB. a hare",
            ("Which is seen first", "a 3.5 m wall", "a hare"),
            id="choices on lines, a number with a point",
        ),
        pytest.param("What is on plate B. 4?", (), id="a single letter is no choice"),
        pytest.param("Which of these? B: a hare C: a bird", (), id="choices begin with A"),
        pytest.param(
            "リスは何を持っていますか？弓はどこですか？",
            ("リスは何を持っていますか？", "弓はどこですか？"),
            id="sentences without spaces",
        ),
        pytest.param("Does the rabbit run after the butterfly?", (), id="who runs after whom"),
        pytest.param("A hare. A hare. A bird!", ("A hare", "A bird"), id="each once"),
    ],
)
def test_parts_of_a_question(question, expected):
    assert parts(question) == expected


@given(st.text(max_size=600))
def test_every_part_is_words_of_the_question_and_there_are_few(question):
    found = parts(question)

    assert len(found) != 1
    assert len(found) <= 8
    assert all(part and part in " ".join(question.split()) and len(part) <= 300 for part in found)
