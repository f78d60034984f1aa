"""What schema and CEL cannot say: refused where it cannot work, warned of where it may come right by itself."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness.effort import effort

from pitwall_operator.cluster import settings
from pitwall_operator.cluster.webhook.admission import Known, review
from pitwall_operator.decision.permission.ownership import FlagPrefixes
from pitwall_operator.kube.cache import Cache
from pitwall_operator.kube.client import ROLLOUTS, VARIANTS

ROLLOUT = yaml.safe_load((Path(__file__).parents[4] / "examples" / "rollout-aks.yaml").read_text())
KNOWN = settings.read(["--flags-url", "http://f", "--runtime-image", "i"]).known


def rollout(name: str = "sampler", *, flag: str = "f", variant: str = "aks-v1", **metadata: str) -> dict[str, Any]:
    head = {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "1", **metadata}
    spec = {**ROLLOUT["spec"], "flag": flag, "variantRef": {"name": variant}}
    return {**ROLLOUT, "metadata": head, "spec": spec}


def variant(name: str = "aks-v1", **spec: Any) -> dict[str, Any]:
    head = {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "1"}
    whole = {"sampler": {"name": "aks"}, **spec}
    return {"apiVersion": "pitwall.dev/v1alpha1", "kind": "SamplerVariant", "metadata": head, "spec": whole}


@pytest.fixture
def cache() -> Cache:
    cache = Cache()
    cache.put(VARIANTS, variant())
    return cache


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param(variant(sampler={"name": "akz"}), "'akz' is unknown.*aks.*spec.runtime.image", id="sampler"),
        pytest.param(variant(reducer={"name": "pol"}), "reducer.name 'pol' is unknown", id="reducer"),
        pytest.param(
            variant(sampler={"name": "aks", "parameters": {"maxDept": 5}}),
            'maxDept is not a parameter of aks; did you mean "maxDepth".*takes deviationThreshold, maxDepth, peakThr',
            id="parameter",
        ),
        pytest.param(
            variant(sampler={"name": "aks", "parameters": {"maxDepth": 99}}),
            "maxDepth = 99: 99 is greater than the maximum of 10",
            id="value",
        ),
        pytest.param(variant("x" * 54), "54 characters; at most 53", id="long name"),
        pytest.param(variant("aks-gateway"), "must not end with -gateway", id="name of the gateways"),
        pytest.param(variant("aks-control"), "must not end with -control", id="name of another pool"),
    ],
)
def test_a_variant_that_cannot_run_is_refused_with_the_remedy(cache, found, words):
    answer = review(VARIANTS, "CREATE", found, cache, KNOWN)
    assert len(answer.refusals) == 1
    assert re.search(words, answer.refusals[0])


def test_an_image_of_its_own_may_bring_samplers_of_its_own(cache):
    found = variant(sampler={"name": "paper", "parameters": {"x": 1}}, runtime={"image": "paper:1"})
    said = review(VARIANTS, "CREATE", found, cache, KNOWN)

    assert said.refusals == ()
    assert re.search("'paper' and its parameters are not checked.*paper:1 has.*lint --catalogue", said.warnings[0])


ENTRY = {
    "name": "paper",
    "contract": 1,
    "stability": "alpha",
    "parameters": {"properties": {"depth": {"type": "integer", "maximum": 9, "description": "How deep."}}},
}


@pytest.fixture
def told(cache: Cache) -> Cache:
    """A variant with an image of its own whose pods have described its samplers."""
    for image in ("paper:1", "paper@sha256:" + "a" * 64):
        known = variant(image[:7].replace("@", "-").replace(":", "-"), runtime={"image": image})
        cache.put(VARIANTS, {**known, "status": {"imageSamplers": [ENTRY]}})
    return cache


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        ({"name": "paper", "parameters": {"depht": 1}}, 'depht is not a parameter of paper; did you mean "depth"'),
        ({"name": "paper", "parameters": {"depth": 10}}, r"depth = 10: 10 is greater than the maximum of 9 \(How deep"),
    ],
)
def test_what_pods_of_the_same_image_have_said_explains_a_new_variant(told, sampler, words):
    tagged = review(VARIANTS, "CREATE", variant("new", sampler=sampler, runtime={"image": "paper:1"}), told, KNOWN)
    pinned = variant("new", sampler=sampler, runtime={"image": "paper@sha256:" + "a" * 64})
    exactly = review(VARIANTS, "CREATE", pinned, told, KNOWN)

    assert (tagged.refusals, exactly.warnings) == ((), ())
    assert re.search(words, tagged.warnings[0])
    assert re.search(words, exactly.refusals[0])


@pytest.mark.parametrize("image", ["paper:1", "paper@sha256:" + "a" * 64])
def test_a_sampler_that_the_kept_list_does_not_name_is_a_warning_since_a_long_list_is_cut(told, image):
    found = variant("new", sampler={"name": "papre"}, runtime={"image": image})
    answer = review(VARIANTS, "CREATE", found, told, KNOWN)

    assert answer.refusals == ()
    assert re.search(
        "'papre' is not in the image; did you mean .paper.* it has adard, .*list is kept", answer.warnings[0]
    )


def test_what_another_namespace_has_asked_stays_there(told):
    stranger = variant("new", sampler={"name": "papre"}, runtime={"image": "paper:1"})
    stranger["metadata"]["namespace"] = "other"

    (warning,) = review(VARIANTS, "CREATE", stranger, told, KNOWN).warnings
    assert "are not checked, since nobody here knows" in warning


def test_built_in_samplers_are_taken_to_be_in_every_image(told):
    found = variant("new", sampler={"name": "aks", "parameters": {"maxDepth": 5}}, runtime={"image": "paper:1"})
    assert review(VARIANTS, "CREATE", found, told, KNOWN).warnings == ()


def test_an_operator_that_is_told_nothing_refuses_nothing(cache):
    assert review(VARIANTS, "CREATE", variant(sampler={"name": "akz"}), cache, Known()).refusals == ()


def test_a_missing_variant_is_a_warning_since_it_may_stand_later_in_the_file(cache):
    answer = review(ROLLOUTS, "CREATE", rollout(variant="dpp-v1"), cache, KNOWN)
    assert answer.refusals == ()
    assert "'dpp-v1' does not exist in namespace 'shop' yet" in answer.warnings[0]


def test_stages_that_measure_nothing_are_a_warning(cache):
    found = rollout()
    found["spec"]["analysis"] = {"gates": [{"name": "tokens", "mean": {"metric": "TokensPerQuery"}}]}
    assert review(ROLLOUTS, "CREATE", found, cache, KNOWN).warnings == ()
    follow_up = [{"name": "follow-up", "rate": {"metric": "FollowUp"}}]
    stages = [found["spec"]["stages"][0], found["spec"]["stages"][-1]]
    blind = {**found, "spec": {**found["spec"], "stages": stages, "analysis": {"gates": follow_up}}}

    answer = review(ROLLOUTS, "CREATE", blind, cache, KNOWN)

    assert answer.refusals == ()
    assert [words.partition(",")[0] for words in answer.warnings] == [
        "no gate (follow-up) can be measured on copies",
        "no stage has a weight below 10000",
    ]


@pytest.mark.parametrize(
    ("operation", "verb", "warned"), [("CREATE", "Promote", 1), ("CREATE", "Abort", 0), ("UPDATE", "Promote", 0)]
)
def test_a_request_in_the_file_of_a_new_rollout_is_a_warning_since_it_is_not_carried_out(
    cache, operation, verb, warned
):
    found = rollout("first")
    found = {**found, "spec": {**found["spec"], "action": {"id": "1", "verb": verb}}}
    answer = review(ROLLOUTS, operation, found, cache, KNOWN)
    words = [one for one in answer.warnings if "spec.action" in one]

    assert (answer.refusals, len(words)) == ((), warned)
    assert all(f"spec.action '1' ({verb}) is not carried out" in one for one in words)


def test_advice_is_a_warning_after_those_about_what_is_missing(cache):
    found = rollout(variant="dpp-v1")
    found["spec"]["analysis"] = {"gates": [{"name": "errors", "rate": {"metric": "Errors"}}]}

    answer = review(ROLLOUTS, "CREATE", found, cache, KNOWN)

    assert answer.refusals == ()
    assert [words.partition(":")[0] for words in answer.warnings] == [
        "SamplerVariant 'dpp-v1' does not exist in namespace 'shop' yet; the rollout waits for it",
        "gate errors",
    ]


def test_a_second_rollout_on_a_flag_is_refused_and_the_first_may_still_be_edited(cache):
    cache.put(ROLLOUTS, rollout("first", creationTimestamp="2026-01-01T00:00:00Z"))
    second = review(ROLLOUTS, "CREATE", rollout("second", variant="dpp-v1"), cache, KNOWN)
    assert "already moved by Rollout shop/first" in second.refusals[0]
    edited = rollout("first", creationTimestamp="2026-01-01T00:00:00Z")
    assert review(ROLLOUTS, "UPDATE", edited, cache, KNOWN).refusals == ()


def test_a_flag_that_another_namespace_names_too_is_a_warning_since_only_the_flag_knows_whose_it_is(cache):
    cache.put(ROLLOUTS, rollout("squat", namespace="evil", creationTimestamp="2026-01-01T00:00:00Z"))
    answer = review(ROLLOUTS, "CREATE", rollout(), cache, KNOWN)
    assert (answer.refusals, "already moved by Rollout evil/squat" in answer.warnings[0]) == ((), True)


def test_a_variant_that_another_rollout_runs_is_refused(cache):
    cache.put(ROLLOUTS, rollout("first", creationTimestamp="2026-01-01T00:00:00Z"))
    answer = review(ROLLOUTS, "CREATE", rollout("second", flag="g"), cache, KNOWN)
    assert "'aks-v1' is already run by Rollout shop/first" in answer.refusals[0]


def running(name: str, born: str, candidate: str, **more: Any) -> dict[str, Any]:
    """A Rollout as it is stored in the middle of a run."""
    found = rollout(name, creationTimestamp=born, **more)
    return {**found, "status": {"stableVariant": "uniform-v1", "candidateVariant": candidate}}


def test_an_edit_of_an_older_rollout_takes_no_variant_of_a_younger_one(cache):
    elder = rollout("elder", flag="g", variant="dpp-v1", creationTimestamp="2026-01-01T00:00:00Z")
    cache.put(ROLLOUTS, elder)
    cache.put(ROLLOUTS, running("younger", "2026-02-01T00:00:00Z", "aks-v1", resourceVersion="2"))
    greedy = {**elder, "spec": {**elder["spec"], "experiments": [{"variantRef": {"name": "aks-v1"}}]}}

    (refused,) = review(ROLLOUTS, "UPDATE", greedy, cache, KNOWN, elder).refusals
    assert "'aks-v1' is already run by Rollout shop/younger" in refused


@pytest.mark.parametrize("spec", [{"action": {"id": "1", "verb": "Abort"}}, {"paused": True}, {}], ids=str)
def test_what_a_person_asks_of_a_rollout_is_never_refused(cache, spec):
    """Neither where another Rollout has its flag and its variant, nor where its namespace may not have the flag any
    more, nor where the rest of it would not be taken today."""
    cache.put(ROLLOUTS, running("elder", "2026-01-01T00:00:00Z", "aks-v1"))
    stored = running("younger", "2026-02-01T00:00:00Z", "aks-v1", resourceVersion="2")
    known = replace(KNOWN, prefixes=FlagPrefixes({"shop": ("shop.",)}))
    asked = {**stored, "spec": {**stored["spec"], **spec}}

    answer = review(ROLLOUTS, "UPDATE", asked, cache, known, stored)
    assert answer.refusals == ()
    assert "the flags of namespace 'shop' begin with shop., and 'f' does not" in answer.warnings[0]
    broken = {**stored, "spec": {**stored["spec"], "frobnicate": 1}}
    answer = review(ROLLOUTS, "UPDATE", {**broken, "spec": {**broken["spec"], **spec}}, cache, known, broken)
    assert (answer.refusals, "spec.frobnicate" in answer.warnings[0]) == ((), True)


def test_who_is_refused_may_still_give_up_what_is_anothers(cache):
    cache.put(ROLLOUTS, running("elder", "2026-01-01T00:00:00Z", "aks-v1"))
    stored = rollout("younger", flag="g", resourceVersion="2", creationTimestamp="2026-02-01T00:00:00Z")
    gives_up = {**stored, "spec": {**stored["spec"], "variantRef": {"name": "dpp-v1"}}}

    assert review(ROLLOUTS, "UPDATE", gives_up, cache, KNOWN, stored).refusals == ()
    assert "already run by Rollout shop/elder" in review(ROLLOUTS, "UPDATE", stored, cache, KNOWN, stored).warnings[0]


@pytest.mark.parametrize(
    ("flag", "key"),
    [pytest.param("search.x", "search.x", id="the flag"), pytest.param("search", "search.shadow", id="its copies'")],
)
def test_a_flag_that_reaches_into_another_namespaces_prefix_is_refused(cache, flag, key):
    known = replace(KNOWN, prefixes=FlagPrefixes({"team": ("search.",)}))
    (refused,) = review(ROLLOUTS, "CREATE", rollout(flag=flag), cache, known).refusals

    assert f"the flag {key!r} is of namespace 'team', whose flags begin with search." in refused


def test_deleting_a_variant_in_use_is_a_warning(cache):
    cache.put(ROLLOUTS, rollout("first"))
    answer = review(VARIANTS, "DELETE", variant(), cache, KNOWN)
    assert answer.refusals == ()
    assert "Rollout 'first' still uses SamplerVariant 'aks-v1'" in answer.warnings[0]


@pytest.mark.parametrize(
    ("action", "candidate", "words"),
    [
        pytest.param({"id": "7", "verb": "Abort", "actor": "ann"}, "aks-v1", "its abort by ann (id 7)", id="waits"),
        pytest.param({"id": "6", "verb": "Abort"}, "aks-v1", "", id="an abort that was carried out"),
        pytest.param({"id": "7", "verb": "Promote"}, "aks-v1", "", id="another request"),
        pytest.param({"id": "7", "verb": "Abort"}, "", "", id="nothing is on its way"),
        pytest.param(None, "aks-v1", "", id="no request"),
    ],
)
def test_deleting_a_rollout_whose_abort_waits_is_a_warning(cache, action, candidate, words):
    """It goes with the Rollout, as where a GitOps tool replaces it while no operator runs."""
    found = rollout()
    found["spec"] = {**found["spec"], "action": action} if action else found["spec"]
    status = {"candidateVariant": candidate, "candidateRevision": "r", "runId": "x", "lastActionId": "6"}
    answer = review(ROLLOUTS, "DELETE", {**found, "status": status}, cache, KNOWN)

    assert answer.refusals == ()
    assert [words in one and "is lost with it" in one for one in answer.warnings] == [True] * bool(words)


def test_the_status_is_nobodys_business_here(cache):
    found = {**rollout(), "status": {"written": "by a newer operator"}}
    assert review(ROLLOUTS, "UPDATE", found, cache, KNOWN).refusals == ()


def test_what_is_being_deleted_holds_nobody_up(cache):
    """Neither another rollout on its flag, nor whoever takes its last finalizer away."""
    leaving = rollout("first", creationTimestamp="2026-01-01T00:00:00Z", deletionTimestamp="2026-01-02T00:00:00Z")
    cache.put(ROLLOUTS, leaving)
    second = rollout("second", resourceVersion="2", creationTimestamp="2026-01-03T00:00:00Z")

    assert review(ROLLOUTS, "CREATE", second, cache, KNOWN).refusals == ()
    cache.put(ROLLOUTS, second)
    assert (
        review(ROLLOUTS, "UPDATE", {**leaving, "spec": {**leaving["spec"], "flag": "g"}}, cache, KNOWN).refusals == ()
    )
    gone = {"deletionTimestamp": "2026-01-02T00:00:00Z"}
    broken = variant(sampler={"name": "akz"})
    assert review(VARIANTS, "UPDATE", broken, cache, KNOWN).refusals
    assert not review(VARIANTS, "UPDATE", {**broken, "metadata": broken["metadata"] | gone}, cache, KNOWN).refusals


@pytest.mark.parametrize(
    ("kind", "found", "words"),
    [
        pytest.param(VARIANTS, variant(maxFrames=0), "spec.maxFrames", id="a number out of bounds"),
        pytest.param(VARIANTS, variant(frobnicate=1), "spec.frobnicate", id="an unknown field"),
        pytest.param(ROLLOUTS, {**rollout(), "spec": {}}, "spec.flag", id="an empty spec"),
        pytest.param(ROLLOUTS, {**rollout(), "spec": {**rollout()["spec"], "stages": []}}, "stages", id="no stages"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_field(cache, kind, found, words):
    answer = review(kind, "CREATE", found, cache, KNOWN)

    assert 1 <= len(answer.refusals) <= 8
    assert any(words in refusal for refusal in answer.refusals)
    assert answer.warnings == ()


@pytest.mark.parametrize("operation", ["CREATE", "UPDATE"])
def test_a_rival_that_this_version_cannot_read_holds_nobody_up(cache, operation):
    cache.put(ROLLOUTS, {**rollout("broken"), "spec": {"flag": "f", "variantRef": {"name": "aks-v1"}}})

    assert review(ROLLOUTS, operation, rollout("second"), cache, KNOWN).refusals == ()


def test_a_stored_state_that_this_version_cannot_read_does_not_hold_up_its_mending(cache):
    cache.put(ROLLOUTS, {**rollout("first"), "status": {"phase": "Asleep"}})

    assert review(ROLLOUTS, "UPDATE", rollout("first"), cache, KNOWN).refusals == ()


def test_several_problems_are_told_at_once(cache):
    found = variant(f"{'x' * 50}-control", sampler={"name": "akz"}, reducer={"name": "pol"})

    assert len(review(VARIANTS, "CREATE", found, cache, KNOWN).refusals) == 4


def test_deleting_what_nobody_uses_is_no_warning(cache):
    assert review(VARIANTS, "DELETE", variant("dpp-v1"), cache, KNOWN).warnings == ()
    assert review(ROLLOUTS, "DELETE", rollout(), cache, KNOWN).warnings == ()


@pytest.mark.parametrize(
    ("kind", "found", "words"),
    [
        pytest.param(
            ROLLOUTS, rollout() | {"spec": {"stages": [0] * 1_500_000}}, "more than 2000 fields", id="a long list"
        ),
        pytest.param(
            VARIANTS, variant(sampler={"name": "aks", "parameters": {str(n): [0] for n in range(150_000)}}),
            "more than 2000 fields", id="many fields",
        ),
        pytest.param(
            ROLLOUTS, rollout() | {"spec": {"stages": [{}] * 1900}}, "there are 19\\d{2} faults", id="many small faults"
        ),
    ],
)  # fmt: skip
def test_an_object_of_faults_alone_is_refused_at_once(cache, kind, found, words):
    with effort() as spent:
        answer = review(kind, "CREATE", found, cache, KNOWN)

    assert re.search(words, answer.refusals[0])
    assert spent.megabytes < 20
