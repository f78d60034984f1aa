"""The examples for Flux and Argo CD give the chart values that it takes, and nothing is made anew at each rendering."""

from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "gitops"


def documents(name):
    return [one for one in yaml.safe_load_all((FOLDER / name).read_text()) if one]


def flux():
    (release,) = [one for one in documents("flux.yaml") if one["kind"] == "HelmRelease"]
    return release["spec"]["chart"]["spec"]["chart"], release["spec"]["values"]


def argo():
    source = next(one["spec"]["source"] for one in documents("argocd.yaml") if "helm" in one["spec"]["source"])
    return source["path"], source["helm"]["valuesObject"]


@pytest.mark.parametrize("example", [flux, argo])
def test_an_example_renders_the_chart_of_this_repository(example, render):
    chart, values = example()

    assert (ROOT / chart / "Chart.yaml").is_file()
    rendered = render(**values)
    (operator,) = rendered.pods()["operator"]["spec"]["containers"]
    assert operator["image"].startswith("registry.example/team/pitwall-operator:")
    assert f"--prometheus-url={values['prometheus']['url']}" in operator["args"]


def test_what_argo_cd_renders_twice_is_the_same(render):
    _, values = argo()

    assert render(**values).text == render(**values).text


def test_flux_and_argo_cd_name_the_release_of_the_chart(render):
    version = yaml.safe_load((ROOT / "charts" / "pitwall" / "Chart.yaml").read_text())["appVersion"]
    tags = {one["spec"]["ref"]["tag"] for one in documents("flux.yaml") if "ref" in one["spec"]}
    tags |= {
        one["spec"]["source"]["targetRevision"] for one in documents("argocd.yaml") if "helm" in one["spec"]["source"]
    }

    assert tags == {f"v{version}"}
