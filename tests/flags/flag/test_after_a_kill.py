"""After a kill everybody has stable's variant, whatever way a split or copies found to send them elsewhere."""

from hypothesis import example, given
from hypothesis import strategies as st

from pitwall_flags.flag.document import ArmShare, at_rest, killed, shadow_document, split_document
from pitwall_flags.flag.flagset import FlagSet
from pitwall_flags.flag.record import FlagRecord

STABLE_ONLY = [ArmShare("candidate", "new", 0), ArmShare("stable", "old", 10_000)]
WRONG_DEFAULT = {**split_document(STABLE_ONLY, salt="run-1"), "defaultVariant": "candidate"}
WRONG_CONTROL = split_document([ArmShare("control", "new", 9999), ArmShare("stable", "old", 1)], salt="run-1")


@st.composite
def found_splits(draw):
    """Splits and copies as a person's hand may have left them, and still read as such."""
    first = draw(st.sampled_from([0, 100, 5000, 10_000]))
    second = draw(st.sampled_from([0, min(first, 10_000 - first), 10_000 - first]))
    copies = shadow_document("new", first // 100, salt="run-1")
    split = split_document(
        [ArmShare("candidate", "new", first), ArmShare("control", draw(st.sampled_from(["old", "new"])), second),
         ArmShare("stable", "old", 10_000 - first - second)], salt="run-1",
    )  # fmt: skip
    if draw(st.booleans()):
        copies["variants"]["off"] = draw(st.sampled_from(["", "new"]))
        return {**copies, "defaultVariant": draw(st.sampled_from(["off", "shadow"]))}, ""
    return {**split, "defaultVariant": draw(st.sampled_from(["stable", "control", "candidate"]))}, "old"


@given(found_splits(), st.text(max_size=70))
@example((WRONG_DEFAULT, "old"), "").via("a kill leaves the default variant, which is the candidate's here")
@example((WRONG_CONTROL, "old"), "user-1").via("the control has the candidate's variant")
def test_after_a_kill_everybody_gets_stables_variant_also_after_the_release(found, key):
    document, stable = found
    left = killed(document)
    for is_killed in (True, False):
        flags = FlagSet({"flags": {"f": FlagRecord("f", left, 2, killed=is_killed).effective()}})
        assert {flags.evaluate("f", who, {}).value for who in (key, "")} == {stable}
    assert killed(left) == left
    assert at_rest(left) is None
