"""The variants that are prepared for: as their files are now, one pipeline for all that decode and encode alike."""

import pytest
import yaml

from pitwall_crds.host.files import write_whole
from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.ingest.variants import FollowedVariants


class Built:
    """Stands for a pipeline; remembers what it was built for."""

    def __init__(self, variant):
        self.first = variant.metadata.name


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "variants"


@pytest.fixture
def write(folder, make_variant):
    """Leaves a variant's file as the operator does."""

    def put(sampler, file="", **spec):
        variant = make_variant(sampler, **spec)
        data = variant.to_yaml_dict() | {"apiVersion": variant.api_version, "kind": variant.kind}
        path = folder / f"{file or sampler}.yaml"
        write_whole(path, yaml.safe_dump(data))
        return path

    return put


@pytest.fixture
def followed(folder):
    return FollowedVariants(Built, folder=folder)


def names(followed):
    return [(name, pipeline.first) for name, pipeline in followed.pipelines()]


def test_before_there_is_a_variant_nothing_is_known(followed, write):
    assert not followed.known()
    write("aks")
    assert followed.known()


def test_those_that_decode_and_encode_alike_share_a_pipeline(followed, write):
    write("aks")
    write("uniform")
    write("mmr", decode={"framesPerMinute": 30})
    assert names(followed) == [("aks-v1", "aks-v1"), ("mmr-v1", "mmr-v1"), ("uniform-v1", "aks-v1")]


def test_two_revisions_of_a_variant_are_both_prepared_for(followed, write):
    write("aks", "aks-r1")
    write("aks", "aks-r2", decode={"framesPerMinute": 30})
    (_, first), (_, second) = followed.pipelines()
    assert first is not second


def test_what_changes_is_followed_and_what_stays_is_not_built_again(followed, write):
    old = write("aks")
    (_, kept), *_ = followed.pipelines()
    write("mmr", decode={"framesPerMinute": 30})
    assert dict(followed.pipelines())["aks-v1"] is kept
    old.unlink()
    assert names(followed) == [("mmr-v1", "mmr-v1")]


def test_a_file_that_cannot_be_used_is_told_once_and_costs_the_others_nothing(followed, write, folder, caplog):
    write("aks")
    (folder / "broken.yaml").write_text("kind: Rollout")
    for _ in range(3):
        assert names(followed) == [("aks-v1", "aks-v1")]
    assert caplog.text.count("nothing is prepared for broken.yaml") == 1


def test_a_variant_that_does_not_load_is_told_once_until_its_file_changes(folder, write, caplog):
    def build(variant):
        if variant.spec.decode.frames_per_minute == 30:
            raise BadVariantError("no such decoder here")
        return Built(variant)

    write("aks")
    write("mmr", decode={"framesPerMinute": 30})
    followed = FollowedVariants(build, folder=folder)
    for _ in range(3):
        assert names(followed) == [("aks-v1", "aks-v1")]
    assert caplog.text.count("no such decoder here") == 1
    write("mmr")
    assert names(followed) == [("aks-v1", "aks-v1"), ("mmr-v1", "aks-v1")]


def test_a_check_tells_what_cannot_be_prepared_for(write, tmp_path):
    FollowedVariants(Built, [write("aks")]).check()
    with pytest.raises(BadVariantError, match=r"missing\.yaml"):
        FollowedVariants(Built, [tmp_path / "missing.yaml"]).check()
