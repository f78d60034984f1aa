"""What the operator's command line says of runtime pods is what they get, and what their image is taken to have."""

import pytest

from pitwall_crds.resource import Metadata
from pitwall_crds.variant.variant import SamplerSpec, SamplerVariant, SamplerVariantSpec
from pitwall_operator.cluster import settings
from pitwall_operator.cluster.settings import OperatorSettings
from pitwall_operator.decision.permission.runnable import variant_problems


def read(*arguments: str) -> OperatorSettings:
    return settings.read(["--flags-url", "http://f", "--runtime-image", "i:1", *arguments])


def variant(namespace: str) -> SamplerVariant:
    metadata = Metadata(name="uniform-v1", namespace=namespace)
    return SamplerVariant(metadata=metadata, spec=SamplerVariantSpec(sampler=SamplerSpec(name="uniform")))


def test_what_pods_get_is_what_was_said():
    found = read(
        "--media-root", "/films", "--media-root", "/clips", "--allow-host", "minio:9000", "--image-pull-secret", "s",
        "--cache-volume", '{"emptyDir": {}}', "--grace-seconds", "7", "--cache-size", "20Gi",
        "--runtime-argument=--queue-url=redis://queue/0",
    ).defaults  # fmt: skip

    assert (found.media_roots, found.allowed_hosts) == (("/films", "/clips"), ("minio:9000",))
    assert found.image_pull_secrets == ("s",)
    assert (found.cache_size, found.arguments) == ("20Gi", ("--queue-url=redis://queue/0",))
    assert (found.cache_volume, found.media_volume, found.grace_seconds) == ({"emptyDir": {}}, {}, 7)


@pytest.mark.parametrize(
    ("text", "name", "parameters"),
    [
        ("aks:a,b", "aks", {"a", "b"}),
        ("aks:", "aks", set()),
        ("aks", "aks", None),
        ("aks:a,,", "aks", {"a"}),
    ],
)
def test_a_sampler_with_its_parameters_none_or_any(text, name, parameters):
    known = read("--known-sampler", text).known

    assert known.samplers == {name}
    assert known.parameters.get(name) == parameters


def test_a_star_knows_everything():
    known = read("--known-sampler", "*", "--known-reducer", "*").known

    assert (known.samplers, known.reducers) == (frozenset(), frozenset())


def test_the_namespace_of_the_keys_has_no_runtimes():
    known = read("--no-runtimes-in=pitwall").known

    [words] = variant_problems(variant("pitwall"), known)
    assert words == "namespace 'pitwall' holds Pitwall's own keys: no runtime may be there"
    assert variant_problems(variant("search"), known) == ()
    assert variant_problems(variant("pitwall"), read().known) == ()
