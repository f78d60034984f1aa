"""Parts of a video in its address, by the examples of Media Fragments URI 1.0, 4.2.1 and 5.1, and what is none."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall_runtime.errors import BadQuestionError
from pitwall_runtime.ingest.fragment import stretch_of
from pitwall_runtime.media import WHOLE, Stretch

FILM = "https://media.example/film.mp4"


@pytest.mark.parametrize(
    ("fragment", "start", "end"),
    [
        ("t=10,20", 10, 20),
        ("t=,20", 0, 20),
        ("t=10", 10, math.inf),
        ("t=10,", 10, math.inf),
        ("t=npt:10,20", 10, 20),
        ("t=npt:120,", 120, math.inf),
        ("t=0:02:00,121.5", 120, 121.5),
        ("t=10:00,1:02:03.5", 600, 3723.5),
        ("t=3&t=4,5", 4, 5),
        ("xywh=0,0,1,1&t=1,2", 1, 2),
        ("t=%6ept:10", 10, math.inf),
        ("track=audio", 0, math.inf),
        ("", 0, math.inf),
    ],
)
def test_the_specs_examples(fragment, start, end):
    assert stretch_of(f"{FILM}#{fragment}") == (FILM, Stretch(start, end))


@pytest.mark.parametrize(
    "text",
    ["", "20,10", "5,5", "a", "1,b", "-1,5", "1,2,3", "1:70", "0:75:00", "smpte:0:02:00", "1e3", "nan", "٣", ","],
)
def test_a_time_that_is_none_is_refused_with_what_to_write(text):
    with pytest.raises(BadQuestionError, match="write #t=START,END") as refused:
        stretch_of(f"{FILM}?token=secret#t={text}")
    assert "secret" not in refused.value.message


def test_a_name_with_a_hash_in_it_is_written_with_its_code():
    assert stretch_of("file:///films/%231.mp4") == ("file:///films/%231.mp4", WHOLE)


@given(st.sampled_from([FILM, "http://[x/a.mp4", "http://h/p?", ""]), st.text())
def test_any_fragment_is_read_or_refused_and_the_address_left_as_it_is(address, text):
    try:
        found, stretch = stretch_of(f"{address}#t={text}")
    except BadQuestionError:
        return
    assert found == address
    assert 0 <= stretch.start_seconds < stretch.end_seconds
