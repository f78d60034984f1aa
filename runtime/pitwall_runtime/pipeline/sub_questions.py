"""Takes a question apart where its own punctuation and words of time do: sentences, choices, one thing then another.

By rules and so the same every time; it costs nothing. Samplers that want a model's parts ask it themselves, within
their allowance.
"""

import re
from itertools import pairwise
from string import ascii_uppercase
from typing import Final

_MOST_PARTS: Final = 8
_MOST_CHARACTERS: Final = 300

_LEAST_WORDS: Final = 3
"""Of a clause: "runs after the butterfly" is one, "after the apple falls" begins another."""

_CHOICE: Final = re.compile(r"(?:^|(?<=\s))\(?([A-H])[.):]\s")
_SENTENCE: Final = re.compile(r"(?<=[.?!;])\s|(?<=[。？！；])|\n")
_IN_TIME: Final = re.compile(
    r",? (?:and then|right after|just before|before|after|then|while|until|when) ", re.IGNORECASE
)
_AT_THE_EDGE: Final = frozenset({"", "after", "and", "before", "or", "then", "until", "when", "while"})
_SIGNS: Final = " ,.;:?!"
_SAYS_NOTHING: Final = re.compile(
    r"an?|and|are|as|at|be(en|ing)?|best|by|choose|can|could|did|do(es)?|following|for|from|had|happen(s|ed|ing)?|has|have|"
    r"he|her|him|his|how|in|into|is|its?|many|most|much|of|on|one|option|or|over|people|person|she|shown|so|"
    r"some(body|one|thing)?|than|that|the|their|them|there|these|they|thing|this|those|to|video|film|clip|was|we|were|"
    r"what|when|where|which|while|who|whom|whose|why|will|with|you"
)
"""Words that a picture cannot show."""


def parts(question: str) -> tuple[str, ...]:
    """The parts of a question that each name something to be seen, in its order; none where it has fewer than two."""
    lines = (" ".join(line.split()) for line in question.splitlines())
    stem, choices = _choices("\n".join(filter(None, lines)))
    clauses = [clause for sentence in _SENTENCE.split(stem) for clause in _clauses(sentence)]
    bare = (_bare(part)[:_MOST_CHARACTERS].strip() for part in (*clauses, *choices))
    found = tuple(dict.fromkeys(part for part in bare if _says_something(part)))[:_MOST_PARTS]
    return found if len(found) > 1 else ()


def _clauses(sentence: str) -> list[str]:
    """What happens one after the other; the sentence where that cannot be told."""
    clauses = _IN_TIME.split(sentence)
    return clauses if all(len(clause.split()) >= _LEAST_WORDS for clause in clauses) else [sentence]


def _bare(part: str) -> str:
    """Without the signs and joining words at its ends."""
    words = part.split()
    while words and words[0].strip(_SIGNS).lower() in _AT_THE_EDGE:
        words.pop(0)
    while words and words[-1].strip(_SIGNS).lower() in _AT_THE_EDGE:
        words.pop()
    return " ".join(words).strip(_SIGNS)


def _choices(question: str) -> tuple[str, list[str]]:
    """What stands before the choices (A) …, (B) …, and their texts; all of it and none where there are none."""
    marks = list(_CHOICE.finditer(question))
    labels = "".join(mark[1] for mark in marks)
    if len(marks) < 2 or not ascii_uppercase.startswith(labels):
        return question, []
    borders = [*marks, None]
    texts = [question[mark.end() : after.start() if after else None] for mark, after in pairwise(borders) if mark]
    return question[: marks[0].start()], texts


def _says_something(part: str) -> bool:
    """Whether a word is left that a picture might show; of scripts without spaces every word is."""
    return any(not _SAYS_NOTHING.fullmatch(word) for word in re.findall(r"\w+", part.lower()) if not word.isdecimal())
