"""A variant's status says what its pods said of their samplers, how far one may be trusted, and which line failed."""

import pytest

from pitwall_crds.resource import ConditionStatus
from pitwall_crds.variant.builtin import CATALOGUE
from pitwall_crds.variant.variant import SamplerVariant, SamplerVariantStatus
from pitwall_operator.cluster.controller.statuses import as_json
from pitwall_operator.decision.telling.variant_status import CATALOGUE_CHARACTERS, describe_variant
from pitwall_operator.kube.cache import Cache
from pitwall_operator.kube.client import VARIANTS
from pitwall_operator.values.samplers_said import SamplersSaid, VariantNews

NOTHING = VariantNews()


def variant(sampler="paper", image="paper:1", status=None):
    spec = {"sampler": {"name": sampler}, "runtime": {"image": image}}
    known = SamplerVariant.model_validate({"metadata": {"name": "v1"}, "spec": spec})
    return known.model_copy(update={"status": status}) if status else known


def entry(name="paper", stability="alpha", **more):
    return {"name": name, "contract": 1, "stability": stability, **more}


def said(*entries, failures=0, words="", broken=()):
    served = {"failures": failures, "lastFailure": words}
    return VariantNews(
        said=SamplersSaid.model_validate({"samplers": [*CATALOGUE, *entries], "broken": broken, "served": served})
    )


def described(one, news, now=0.0):
    return describe_variant(one, {}, (), news, now=now)


def test_an_images_own_samplers_are_kept_and_those_of_this_version_are_not():
    status = described(variant(), said(entry(), broken=["x" * 600]))

    assert (status.stability, [one.name for one in status.image_samplers]) == ("alpha", ["paper"])
    assert len(status.broken_samplers[0]) == 512


def test_what_was_said_stays_until_pods_say_something_else():
    first = described(variant(), said(entry()))
    second = described(variant(status=first), NOTHING)

    assert (second.stability, second.image_samplers) == (first.stability, first.image_samplers)


def test_a_built_in_samplers_stability_is_known_before_any_pod_runs():
    assert described(variant("aks", image=""), NOTHING).stability == "stable"
    assert described(variant("aks", image="other:1"), NOTHING).stability == ""


def test_a_catalogue_that_does_not_fit_is_cut_and_keeps_the_variants_own():
    large = {"properties": {"x": {"description": "y" * (CATALOGUE_CHARACTERS // 3)}}}
    others = [entry(f"other-{k}", parameters=large) for k in range(5)]
    status = described(variant(), said(*others, entry()))

    assert [one.name for one in status.image_samplers] == ["paper", "other-0", "other-1"]


@pytest.mark.parametrize(
    "parameters",
    [{"x": "y" * 900}, {"x": "y" * 70_000}, {f"p{number}": [] for number in range(30)}, {"x": [[]] * 2001}],
    ids=["many texts", "one text", "many fields", "entries without end"],
)
def test_a_status_is_kept_whole_by_the_cache_so_that_it_is_written_once(parameters):
    others = [entry(f"other-{k}", summary="z" * 300, parameters=parameters) for k in range(64)]
    news = said(*others, entry(), failures=2, words="w" * 3000, broken=["b" * 600] * 20)
    first, cache = described(variant(), news, now=10), Cache()
    metadata = {"namespace": "shop", "name": "v1", "resourceVersion": "1"}
    cache.put(VARIANTS, {"metadata": metadata, "spec": {}, "status": as_json(first)})
    kept = SamplerVariantStatus.model_validate(cache.get(VARIANTS, ("shop", "v1"))["status"])

    assert described(variant(status=kept), news, now=20) == first
    assert first.image_samplers[0].name == "paper"


def test_failures_are_a_condition_with_the_line_that_ends_when_they_do():
    broken = described(variant(), said(entry(), failures=2, words="sampler 'paper' raised at paper.py:7"), now=10)
    mended = described(variant(status=broken), said(entry()), now=20)
    (_, first), (_, second) = broken.conditions, mended.conditions

    assert (first.type, first.status, first.reason) == ("SamplerWorks", ConditionStatus.FALSE, "SamplerFailed")
    assert first.message == "2 questions fell back: sampler 'paper' raised at paper.py:7"
    assert (second.status, second.reason) == (ConditionStatus.TRUE, "SamplerChose")
    assert first.last_transition_time != second.last_transition_time


@pytest.mark.parametrize("news", [NOTHING, said(entry())])
def test_a_sampler_that_never_failed_has_no_such_condition(news):
    assert [one.type for one in described(variant(), news).conditions] == ["Ready"]
