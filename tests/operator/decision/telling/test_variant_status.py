"""A variant's status says what its pods said of their samplers, how far one may be trusted, and which line failed."""

import pytest

from pitwall_crds.builtin import CATALOGUE
from pitwall_crds.resource import ConditionStatus
from pitwall_crds.variant import SamplerVariant
from pitwall_operator.decision.telling.variant_status import MOST_CATALOGUE_BYTES, describe_variant
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
    large = {"properties": {"x": {"description": "y" * (MOST_CATALOGUE_BYTES // 3)}}}
    others = [entry(f"other-{k}", parameters=large) for k in range(5)]
    status = described(variant(), said(*others, entry()))

    assert [one.name for one in status.image_samplers] == ["paper", "other-0", "other-1"]


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
