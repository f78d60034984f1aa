"""How objects are called, however a release is called."""

from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "pitwall"


def cluster_wide(helm, release, namespace):
    text = helm("template", release, CHART, "--namespace", namespace)
    objects = [one for one in yaml.safe_load_all(text) if one]
    return {
        (one["kind"], one["metadata"]["name"])
        for one in objects
        if one["kind"].startswith("Cluster") or "Webhook" in one["kind"]
    }


def test_two_releases_share_no_object_of_the_cluster_however_they_are_called(helm):
    """Namespace and name, joined by a hyphen, are the same for these."""
    one, two = cluster_wide(helm, "b-pitwall", "a"), cluster_wide(helm, "pitwall", "a-b")

    assert len(one) == len(two) > 3
    assert one & two == set()


@pytest.mark.parametrize("release", ["a" * 53, "pitwall-" + "b" * 45, "x-" * 25 + "pit"])
def test_a_release_name_as_long_as_helm_allows_leaves_room_in_every_name(helm, release):
    text = helm("template", release, CHART, "--namespace", "n" * 63)
    objects = [one for one in yaml.safe_load_all(text) if one]

    for one in objects:
        limit = (
            253
            if one["kind"] in ("Secret", "ConfigMap") or one["kind"].startswith(("Cluster", "Valid", "Custom", "Role"))
            else 63
        )
        assert len(one["metadata"]["name"]) <= limit, one["metadata"]["name"]
        assert all(len(value) <= 63 for value in one["metadata"]["labels"].values())
    (workload,) = [one for one in objects if one["kind"] == "StatefulSet"]
    assert len(workload["metadata"]["name"]) + len("-0123456789") <= 63, "pods bear it with a hash as a label"


def test_long_releases_of_one_namespace_share_no_object(helm):
    def names(release):
        text = helm("template", release, CHART, "--namespace", "race")
        return {
            (one["kind"], one["metadata"]["name"])
            for one in yaml.safe_load_all(text)
            if one and one["kind"] != "CustomResourceDefinition" and one["metadata"]["name"] != "pitwall-flags-tokens"
        }

    assert names("a" * 52 + "b") & names("a" * 52 + "c") == set()


@pytest.mark.parametrize("release", ["1st", "my.rel", "my.pitwall", "a." + "b" * 50])
def test_a_release_that_services_cannot_be_called_after_is_refused_with_the_remedy(helm, release):
    with pytest.raises(Exception, match=r"begins with a digit or holds a dot.*set fullnameOverride"):
        helm("template", release, CHART, "--namespace", "race")

    assert "name: first-operator" in helm(
        "template", release, CHART, "--namespace", "race", "--set", "fullnameOverride=first"
    )
