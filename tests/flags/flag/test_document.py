"""Documents and buckets: order, totals, monotone ramps, shares, and the same bucket in flagd's own evaluator."""

import json
import math

import mmh3
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

from pitwall_flags.flag import bucket, check
from pitwall_flags.flag.document import (
    OWNER,
    ArmShare,
    Split,
    at_rest,
    killed,
    killed_salt,
    read_split,
    served_by,
    shadow_document,
    split_document,
)
from pitwall_flags.flag.evaluate import ResolutionReason
from pitwall_flags.flag.flagset import FlagSet
from pitwall_flags.flag.record import FlagRecord
from pitwall_flags.flag.schema import schema_problem

SALTS = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}\Z")
KEYS = st.text(min_size=1, max_size=300) | st.text("ab.|", min_size=55, max_size=70)
WEIGHTS = st.integers(0, 5000)


def split_of(weight: int, salt: str = "run-1") -> dict:
    shares = [
        ArmShare("stable", "old", 10_000 - 2 * weight),
        ArmShare("candidate", "new", weight),
        ArmShare("control", "old", weight),
    ]
    return split_document(shares, salt=salt)


def arm(document: dict, key: str) -> str:
    return FlagSet({"flags": {"f": document}}).evaluate("f", key, {}).variant


def test_the_candidate_comes_first_whatever_the_order_of_the_shares():
    split = read_split(split_of(100))
    assert split == Split(
        (ArmShare("candidate", "new", 100), ArmShare("control", "old", 100), ArmShare("stable", "old", 9800)), "run-1"
    )


REST = split_document([ArmShare("stable", "old", 10_000)], salt="run-1")
REST_SPLIT = read_split(REST)


@pytest.mark.parametrize(
    ("document", "rest"),
    [
        pytest.param(split_of(100), REST, id="a canary"),
        pytest.param(REST, None, id="at rest already"),
        pytest.param(shadow_document("new", 5, salt="x"), shadow_document("", 0, salt="x"), id="copies"),
        pytest.param(shadow_document("", 0, salt="x"), None, id="no copies"),
        pytest.param({"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}, None, id="somebody's own"),
    ],
)
def test_a_flag_at_rest_has_everybody_on_stable_and_copies_nothing(document, rest):
    assert at_rest(document) == rest


@pytest.mark.parametrize(
    ("document", "owner", "variants"),
    [
        pytest.param(split_of(100), "shop/sampler", {"new", "old"}, id="users of three arms"),
        pytest.param(split_of(0), "shop/sampler", {"old"}, id="an arm without users"),
        pytest.param(
            shadow_document("new", 5, salt="s"), "shop/sampler", {"new"}, id="copies, and nobody for the rest"
        ),
        pytest.param(shadow_document("new", 0, salt="s"), "shop/sampler", set(), id="no copies"),
        pytest.param(split_of(100), "", set(), id="nobody's flag"),
        pytest.param({"state": "ENABLED", "variants": {"on": True}}, "shop/sampler", set(), id="no split of ours"),
    ],
)
def test_whom_a_flag_sends_anybody_to(document, owner, variants):
    assert served_by({**document, "metadata": {OWNER: owner}}) == {("shop", variant) for variant in variants}


def test_a_kill_leaves_a_split_at_rest_and_remembers_the_run_and_whose_it_was():
    owned = {**split_of(100), "metadata": {"pitwallRollout": "shop/sampler"}}
    left = killed(owned)

    assert read_split(left) == read_split(REST)
    assert left["metadata"]["pitwallRollout"] == "shop/sampler"
    assert killed_salt(left) == "run-1"
    assert killed(left) == left, "twice is once"
    assert killed_salt(owned) == killed_salt({"metadata": None}) == ""


def renamed(value, **names):
    """The same with other texts in it, keys too."""
    if isinstance(value, dict):
        return {names.get(name, name): renamed(one, **names) for name, one in value.items()}
    if isinstance(value, list):
        return [renamed(one, **names) for one in value]
    return names.get(value, value) if isinstance(value, str) else value


def salted(document, salt):
    """The document as another writer would salt it."""
    return renamed(document, **{bucket.prefix("run-1"): bucket.prefix(salt)})


ODD_SALTS = ["x y", "-x", "s" * 65, "salz-ü", "a\n", "x|y", "x@y"]


@pytest.mark.parametrize("written", [split_of(100), shadow_document("new", 5, salt="run-1")], ids=["split", "copies"])
@pytest.mark.parametrize("salt", ODD_SALTS)
def test_a_salt_that_nobody_of_ours_would_write_makes_no_split_and_breaks_nobody(salt, written):
    odd = salted(written, salt)
    assert read_split(salted(written, "run-2")).salt == "run-2"
    assert (read_split(odd), at_rest(odd), killed(odd)) == (None, None, odd)


@pytest.mark.parametrize("names", [{"candidate": "foo"}, {"stable": "foo"}, {"control": "shadow"}, {"control": "off"}])
def test_an_arm_that_nobody_of_ours_would_write_makes_no_split_and_breaks_nobody(names):
    odd = renamed(split_of(100), **names)
    assert check.problems(odd) == [], "other evaluators take it"
    assert (read_split(odd), at_rest(odd), killed(odd)) == (None, None, odd)


@given(
    st.sampled_from([split_of(100), REST, shadow_document("new", 5, salt="run-1")]),
    st.text(max_size=70),
    st.dictionaries(st.sampled_from(["candidate", "control", "stable", "shadow", "off", "new", "old"]), st.text()),
    st.none() | st.lists(st.text()) | st.dictionaries(st.text(), st.none() | st.text() | st.integers()),
)
@example(split_of(100), "0", {"old": ""}, None).via("stable has the empty name, which is a name too")
@settings(deadline=None)
def test_whatever_was_stored_can_be_killed_and_brought_to_rest(document, salt, names, metadata):
    stored = {**salted(renamed(document, **names), salt), "metadata": metadata}
    for left in (killed(stored), at_rest(stored) or stored):
        assert not any(share.weight for share in (read_split(left) or REST_SPLIT).shares if share.arm == "candidate")
        assert isinstance(killed_salt(left), str)
        assert FlagRecord("f", left, 2, killed=True).effective()["metadata"]["killed"] is True


def test_a_kill_changes_no_flag_that_is_no_split_of_ours():
    own = {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": "off",
        "targeting": {"var": "x"},
    }
    assert killed(own) == own


@pytest.mark.parametrize(
    ("shares", "salt", "words"),
    [
        pytest.param([("stable", 9999)], "s", "sum to 10000, not 9999", id="total"),
        pytest.param([("candidate", 10_000)], "s", "names stable", id="no-stable"),
        pytest.param([("stable", 5000), ("stable", 5000)], "s", "once each", id="twice"),
        pytest.param([("stable", 5000), ("shadow", 5000)], "s", "at most", id="unknown-arm"),
        pytest.param([("stable", 10_001), ("candidate", -1)], "s", "0 or more", id="negative"),
        pytest.param([("stable", 10_000)], "", "must match", id="no-salt"),
        pytest.param([("stable", 10_000)], "s" * 65, "must match", id="long-salt"),
        pytest.param([("stable", 10_000)], ".s", "must match", id="padding-salt"),
        pytest.param([("stable", 10_000)], "salz-ü", "must match", id="beyond-ascii-salt"),
    ],
)
def test_a_wrong_split_is_refused(shares, salt, words):
    with pytest.raises(ValueError, match=words):
        split_document([ArmShare(name, "v", weight) for name, weight in shares], salt=salt)


@pytest.mark.parametrize(("percent", "weight"), [(0, 0), (1, 100), (5, 500), (100, 10_000)])
def test_a_shadow_copies_its_percentage(percent, weight):
    split = read_split(shadow_document("air-v1", percent, salt="run-1"))
    assert [(share.arm, share.variant, share.weight) for share in split.shares] == [
        ("shadow", "air-v1", weight),
        ("off", "", 10_000 - weight),
    ]


@pytest.mark.parametrize("percent", [-1, 101])
def test_a_shadow_beyond_the_traffic_is_refused(percent):
    with pytest.raises(ValueError, match="0 to 100 percent"):
        shadow_document("air-v1", percent, salt="run-1")


@given(SALTS, WEIGHTS)
def test_what_is_written_is_read_back_and_passes_flagds_schema(salt, weight):
    document = json.loads(json.dumps(split_of(weight, salt)))
    assert read_split(document) == read_split(split_of(weight, salt))
    assert read_split(document).salt == salt


@given(SALTS, WEIGHTS)
@settings(max_examples=30, deadline=None)
def test_documents_pass_flagds_schema_also_where_the_check_is_skipped(salt, weight):
    for document in (split_of(weight, salt), shadow_document("air-v1", weight // 50, salt=salt)):
        assert check._is_ours(document)
        assert schema_problem(document) is None


@pytest.mark.parametrize(
    "change",
    [
        {"defaultVariant": "none"},
        {"defaultVariant": ["stable"]},
        {"metadata": {"x": []}},
        {"variants": {"candidate": "a", "control": "b", "stable": "c", "more": 1}},
    ],
)
def test_a_split_with_a_fault_beside_the_split_is_refused(change):
    assert check.problems({**split_of(100), **change})


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"targeting": {}}, id="killed"),
        pytest.param({"state": "DISABLED"}, id="disabled"),
        pytest.param({"targeting": {"fractional": [["candidate", 1]]}}, id="shorthand"),
        pytest.param({"variants": {}}, id="no-variants"),
        pytest.param({"targeting": {"if": [{"var": "targetingKey"}, {"fractional": [{"cat": 1}]}]}}, id="other"),
    ],
)
def test_any_other_document_is_no_split(change):
    assert read_split({**split_of(100), **change}) is None


@given(KEYS, st.lists(WEIGHTS, min_size=2, max_size=8).map(sorted), SALTS)
def test_whoever_has_crossed_over_stays_while_the_weight_grows(key, weights, salt):
    crossed = [arm(split_of(weight, salt), key) == "candidate" for weight in weights]
    assert crossed == sorted(crossed)


@given(KEYS, SALTS, WEIGHTS)
@settings(max_examples=500)
def test_flagds_own_evaluator_gives_the_same_arm(key, salt, weight):
    document = split_of(weight, salt)
    core = FlagdCore()
    core.set_flags(json.dumps({"flags": {"f": document}}))
    theirs = core.resolve_string_value("f", "none", EvaluationContext(key))
    ours = FlagSet({"flags": {"f": document}}).evaluate("f", key, {})
    assert (ours.variant, ours.value) == (theirs.variant, theirs.value)


@given(st.text(st.characters(min_codepoint=0, max_codepoint=127), min_size=1, max_size=300), SALTS)
def test_text_evaluators_hash_the_same_bytes(key, salt):
    """Go and JavaScript hash the UTF-8 text of the bucketing value, which for them begins with the header."""
    is_long = bucket.is_long(key)
    header = bucket.LONG_CBOR_HEADER if is_long else bucket.CBOR_HEADER
    text = header + bucket.hashed_text(bucket.prefix(salt), key)
    assert len(text) - len(header) == (bucket.LONG_TEXT_LENGTH if is_long else bucket.TEXT_LENGTH)
    assert bucket.bucket(bucket.prefix(salt), key, 10_000) == (mmh3.hash(text, 0, False) * 10_000) >> 32


def test_the_probe_tells_text_from_cbor():
    assert mmh3.hash(bucket.PROBE, 0, False) >> 31 == 0
    assert mmh3.hash(bytes([0x60 + len(bucket.PROBE)]) + bucket.PROBE.encode(), 0, False) >> 31 == 1


@pytest.mark.parametrize(
    ("text", "hashed", "placed"),
    [
        ("headerColoruser-1", 2464466138, 5738),
        ("headerColoruser-2", 3556701001, 8281),
        ("sampleruser-42", 287210624, 668),
    ],
)
def test_the_hash_is_flagds(text, hashed, placed):
    assert mmh3.hash(text, 0, False) == hashed
    assert (hashed * 10_000) >> 32 == placed


@pytest.mark.parametrize("salt", ["run-1", "run-2", "video-qa/sampler/7"])
@pytest.mark.parametrize("weight", [100, 1000, 5000])
def test_shares_are_binomial(salt, weight):
    """Six standard deviations: a correct split fails once in 500 million such tests."""
    users, text_prefix = 50_000, bucket.prefix(salt)
    inside = sum(bucket.bucket(text_prefix, f"user-{number}", 10_000) < weight for number in range(users))
    share = weight / 10_000
    assert abs(inside - users * share) < 6 * math.sqrt(users * share * (1 - share))


@pytest.mark.parametrize("length", [1, 61, 62, 113, 125, 126, 200, 256, 1023])
def test_keys_of_any_length_keep_the_salt_and_stay_distinct(length):
    """Keys that differ in their first character only, as addresses and tokens do, are drawn apart and anew by run."""
    keys = [str(number).zfill(5)[:length].ljust(length, "x") for number in range(3000)] if length > 4 else ["a", "b"]
    texts = {bucket.hashed_text(bucket.prefix(salt), key) for salt in ("run-1", "run-2") for key in keys}
    assert len(texts) == 2 * len(keys)
    if length > 4:
        first, second = (
            {key for key in keys if bucket.bucket(bucket.prefix(salt), key, 10) == 0} for salt in ("run-1", "run-2")
        )
        assert 180 < len(first) < 420
        assert len(first & second) < 80


@given(st.text("a.|", min_size=62, max_size=66), st.text("a.|", min_size=62, max_size=66))
def test_padding_is_never_taken_for_a_part_of_a_long_key(one, other):
    texts = {bucket.hashed_text(bucket.prefix("run-1"), key) for key in (one, other)}
    assert len(texts) == len({one, other})


def test_another_salt_makes_other_guinea_pigs():
    first, second = (
        {user for user in range(20_000) if bucket.bucket(bucket.prefix(salt), f"user-{user}", 10_000) < 1000}
        for salt in ("run-1", "run-2")
    )
    assert 100 < len(first & second) < 300


@pytest.mark.parametrize("key", ["", None])
def test_without_a_key_everybody_is_stable(key):
    resolution = FlagSet({"flags": {"f": split_of(5000)}}).evaluate("f", key or "", {})
    assert (resolution.variant, resolution.value, resolution.reason) == ("stable", "old", ResolutionReason.DEFAULT)
