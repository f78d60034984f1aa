"""What keeps a variant from running is told in words that fit, however much it is."""

from pitwall_crds.variant.variant import SamplerVariant
from pitwall_operator.decision.permission.runnable import BUILT_IN, MOST_TOLD, in_words, variant_problems


def test_of_many_problems_the_first_are_told_and_how_many_more_there_are():
    volumes = [{"name": f"v{number}", "hostPath": {"path": f"/etc/{number}"}} for number in range(30)]
    runtime = {"template": {"spec": {"volumes": volumes}}}
    metadata = {"name": "aks-v1", "namespace": "shop"}
    variant = SamplerVariant.model_validate(
        {"metadata": metadata, "spec": {"sampler": {"name": "aks"}, "runtime": runtime}}
    )

    problems = variant_problems(variant, BUILT_IN)
    told = in_words(problems)

    assert len(problems) == 30
    assert told == "; ".join((*problems[:MOST_TOLD], "and 22 more"))
    assert in_words(problems[:MOST_TOLD]) == "; ".join(problems[:MOST_TOLD])
    assert in_words(()) == ""
