"""Times as a status holds them."""

from hypothesis import given
from hypothesis import strategies as st

from pitwall_operator.values.timestamps import to_epoch, to_text


@given(st.floats(0, 4e9))
def test_a_time_is_read_as_it_was_written_within_a_millisecond(moment):
    text = to_text(moment)

    assert -1e-6 <= moment - to_epoch(text) < 0.001 + 1e-6
    assert to_text(to_epoch(text)) == text, "written again it is the same"


@given(st.floats(0, 4e9), st.floats(0, 4e9))
def test_what_is_later_is_never_written_as_earlier(one, other):
    assert (to_text(one) <= to_text(other)) if one <= other else (to_text(one) >= to_text(other))
