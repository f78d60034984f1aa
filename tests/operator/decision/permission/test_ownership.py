"""Who may move a flag and run a variant's pods."""

from pathlib import Path

import pytest

from pitwall_crds.reading.load import load_file
from pitwall_crds.resource import Reference
from pitwall_crds.rollout.status import RolloutStatus
from pitwall_operator.decision.permission import ownership

EXAMPLE = Path(__file__).parents[4] / "examples" / "rollout-aks.yaml"


def rollout(
    name="a", *, namespace="team", born="2026-01-01T00:00:00Z", flag="sampler.variant", variant="aks-v1", **status
):  # fmt: skip
    (example,) = load_file(EXAMPLE)
    metadata = example.metadata.model_copy(update={"name": name, "namespace": namespace, "creation_timestamp": born})
    spec = example.spec.model_copy(update={"flag": flag, "variant_ref": Reference(name=variant)})
    return example.model_copy(update={"metadata": metadata, "spec": spec, "status": RolloutStatus(**status)})


def claim(*given, **more):
    return ownership.claim_of(rollout(*given, **more))


def test_a_rollout_alone_may_move():
    assert ownership.refusal(claim(), [claim()]) == ""


@pytest.mark.parametrize("namespace", ["team", "other"])
def test_a_flag_belongs_to_the_oldest_in_all_namespaces(namespace):
    elder, younger = claim("z"), claim("a", namespace=namespace, born="2026-02-01T00:00:00Z", variant="dpp-v1")

    assert "already moved by Rollout team/z" in ownership.refusal(younger, [elder, younger])
    assert ownership.refusal(elder, [elder, younger]) == ""


def test_of_two_born_together_one_may_move():
    pair = [claim("a"), claim("b", variant="dpp-v1")]

    assert [bool(ownership.refusal(each, pair)) for each in pair] == [False, True]


def test_a_variant_belongs_to_one_rollout_of_its_namespace():
    elder = claim("a")
    younger = claim("b", flag="other.flag", born="2026-02-01T00:00:00Z")
    elsewhere = claim("c", flag="third.flag", namespace="other", born="2026-03-01T00:00:00Z")

    assert "'aks-v1' is already run by Rollout team/a" in ownership.refusal(younger, [elder, younger, elsewhere])
    assert ownership.refusal(elsewhere, [elder, younger, elsewhere]) == ""


def test_who_has_a_variant_keeps_it_whatever_its_age():
    """An edit of an older Rollout names what a younger one has on its way, or serves."""
    elder = claim("a", variant="dpp-v1")
    younger = claim(
        "b", flag="other.flag", born="2026-02-01T00:00:00Z", stable_variant="uniform-v1", candidate_variant="dpp-v1"
    )

    assert ownership.refusal(younger, [elder, younger]) == ""
    assert "'dpp-v1' is already run by Rollout team/b" in ownership.refusal(elder, [elder, younger])


def test_who_moves_a_flag_keeps_it_whatever_its_age():
    shares = [{"arm": "stable", "variant": "uniform-v1", "weightBasisPoints": 10_000}]
    elder, younger = claim("a", variant="dpp-v1"), claim("b", born="2026-02-01T00:00:00Z", weights=shares)

    assert ownership.refusal(younger, [elder, younger]) == ""
    assert "already moved by Rollout team/b" in ownership.refusal(elder, [elder, younger])


def test_an_edit_may_claim_nothing_that_others_ask_for_and_may_give_up_anything():
    other = claim("b", flag="other.flag", born="2026-02-01T00:00:00Z", variant="dpp-v1")
    before, greedy = claim("a"), claim("a", variant="dpp-v1")

    assert "'dpp-v1' is already run by Rollout team/b" in ownership.new_claims(greedy, before, [other])
    assert ownership.new_claims(before, greedy, [other]) == ""
    assert ownership.new_claims(greedy, greedy, [other]) == "", "that was so before"


def test_what_others_run_is_foreign_and_what_one_runs_oneself_is_not():
    mine, theirs = claim("a"), claim("b", flag="other.flag", variant="dpp-v1")

    assert ownership.foreign(mine, [mine, theirs]) == {"dpp-v1"}
    assert ownership.foreign(theirs, [mine, theirs]) == {"aks-v1"}


PREFIXES = ownership.FlagPrefixes({"search": ("search.", "find."), "shop": ("shop.",)})


@pytest.mark.parametrize(
    ("namespace", "flag", "words"),
    [
        pytest.param("search", "search.variant", "", id="its own"),
        pytest.param("search", "find.variant", "", id="its other own"),
        pytest.param(
            "search", "shop.variant", "begin with search. or find., and 'shop.variant' does not", id="another's"
        ),
        pytest.param("search", "searchlight", "begin with search. or find.", id="what merely begins alike"),
        pytest.param("team", "search.variant", "is of namespace 'search', whose flags begin with", id="a stranger"),
        pytest.param("team", "sampler.variant", "", id="what nobody has"),
    ],
)
def test_a_prefix_is_bound_to_its_namespace(namespace, flag, words):
    asked = rollout(namespace=namespace, flag=flag)
    refused = PREFIXES.refusal(asked)

    assert words in refused
    assert bool(refused) == bool(words)
    assert ownership.NO_PREFIXES.refusal(asked) == ""


@pytest.mark.parametrize(
    ("flag", "prefixes", "key"),
    [
        pytest.param("shop", {"till": ("shop.",)}, "shop.shadow", id="of the candidate's copies"),
        pytest.param("shop", {"till": ("shop.experiment.",)}, "shop.experiment.", id="of experiments"),
        pytest.param(
            "shop.a", {"team": ("shop.",), "till": ("shop.a.",)}, "shop.a.shadow", id="though the flag is its own"
        ),
    ],
)
def test_a_prefix_is_bound_for_flags_of_copies_too(flag, prefixes, key):
    """A flag without the prefix, whose copies' flags have it."""
    bound = ownership.FlagPrefixes(prefixes)
    refused = bound.refusal(rollout(flag=flag))

    assert f"the flag {key!r} is of namespace 'till'" in refused
    assert f"flags of copies of {flag!r} begin so: name another flag" in refused
    assert bound.refusal(rollout(flag=f"{flag}s")) == ""


def test_a_prefix_within_anothers_is_of_the_namespace_that_has_the_longer_one():
    prefixes = ownership.FlagPrefixes({"team": ("shop.",), "till": ("shop.till.",)})

    assert prefixes.refusal(rollout(namespace="till", flag="shop.till.variant")) == ""
    assert "is of namespace 'till'" in prefixes.refusal(rollout(flag="shop.till.variant"))


@pytest.mark.parametrize(
    ("owner", "may_lack_mark", "words"),
    [
        pytest.param(("team", "a"), True, "", id="its own"),
        pytest.param(("team", "earlier"), True, "", id="of an earlier rollout of the namespace"),
        pytest.param(("other", "a"), True, "belongs to Rollout other/a of another namespace", id="another namespace's"),
        pytest.param(None, True, "", id="a split that remembers nobody"),
        pytest.param(None, False, "exists and is no rollout's", id="a flag of somebody's own"),
    ],
)
def test_a_flag_that_exists_belongs_to_the_namespace_that_made_it(owner, may_lack_mark, words):
    refused = ownership.foreign_flag("team", "sampler.variant", owner, may_lack_mark=may_lack_mark)

    assert words in refused
    assert bool(refused) == bool(words)
