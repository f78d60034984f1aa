"""What another image makes is never taken for one's own; what the same image makes is shared by all variants."""

import ast
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from pitwall_crds.host import build
from pitwall_runtime.errors import EncoderFailedError
from pitwall_runtime.ingest.files import open_video
from pitwall_runtime.pipeline.pipeline import Pipeline
from pitwall_runtime.pipeline.resources import PipelineResources
from pitwall_runtime.pipeline.telemetry import RuntimeTelemetry
from pitwall_runtime.stores import makers
from pitwall_runtime.stores.files.eviction import Quota
from pitwall_runtime.stores.network.shared import open_shared

BLUE = (10.0, "blue")
SHARINGS = ["one folder", "objects"]


@pytest.fixture
def video(clip):
    return open_video(clip, 1 << 30)


@pytest.fixture
def machine(tmp_path, make_variant, monkeypatch):
    """A runtime of some image beside others: with their folder, or with a folder of its own and their objects."""

    def make(name, sharing, *, image="", sampler="aks", **spec) -> Pipeline:
        monkeypatch.setenv(build.VARIABLE, image)
        folder, shared = tmp_path / "cache", None
        if sharing == "objects":
            pytest.importorskip("obstore")
            (tmp_path / "objects").mkdir(exist_ok=True)
            folder, shared = tmp_path / name, open_shared(f"file://{tmp_path}/objects", "")
        resources = PipelineResources(Quota(folder), shared=shared)
        return Pipeline(make_variant(sampler, **spec), folder, RuntimeTelemetry("aks-v1", "stable"), resources)

    return make


def wrong(pipeline, how):
    """An encoder of the same name and revision that is not the same."""
    encoder = pipeline.encoders.encoder
    encode = encoder.encode_images

    def swapped(images):
        return encode([np.ascontiguousarray(image[..., ::-1]) for image in images])

    def numberless(images):
        made = encode(images)
        return replace(made, vectors=np.full_like(made.vectors, np.nan))

    encoder.encode_images = {"channels swapped": swapped, "no numbers": numberless}[how]
    return pipeline


def best(pipeline, video):
    moment = pipeline.answer(video, "blue", "stable").answer.moments[0]
    return round(moment.pts_seconds, 1), moment.label


@pytest.mark.parametrize("sharing", SHARINGS)
def test_rows_that_another_image_embeds_wrongly_reach_no_stable(machine, video, sharing):
    candidate = wrong(machine("candidate", sharing, image="paper:2"), "channels swapped")
    assert best(candidate, video) != BLUE
    assert best(machine("stable", sharing), video) == BLUE


@pytest.mark.parametrize("sharing", SHARINGS)
def test_variants_of_one_image_share_whatever_their_samplers(machine, video, sharing):
    first = machine("one", sharing, image="paper:2")
    first.answer(video, "blue", "stable")
    other = machine("two", sharing, image="paper:2", sampler="topk")
    assert best(other, video) == BLUE
    assert (other.preparation.videos_decoded, other.encoders.frames_encoded) == (0, 0)


@pytest.mark.parametrize("sharing", SHARINGS)
def test_what_is_no_number_fails_its_own_question_and_is_stored_nowhere(machine, video, sharing):
    """Also beside a stable of the same image, as where one machine's GPU is broken."""
    candidate = wrong(machine("candidate", sharing), "no numbers")
    with pytest.raises(EncoderFailedError, match="no finite numbers for 4 of 4 pictures"):
        candidate.answer(video, "blue", "candidate")
    assert best(machine("stable", sharing), video) == BLUE


@pytest.mark.parametrize("which", ["backend", "image", "shots"])
def test_a_pool_is_of_what_decoded_it(machine, video, which, monkeypatch):
    def spec():
        return machine("one", "one folder").preparation.spec

    before = spec()
    if which == "backend":
        pytest.importorskip("decord")
        other = machine("one", "one folder", decode={"backend": "decord"}).preparation.spec
    elif which == "image":
        other = machine("one", "one folder", image="paper:2").preparation.spec
    else:
        other = replace(before, maker=f"pyav-{makers.made_by('pyav', 'transnetv2')}")
    assert spec() == before
    assert other.key != before.key


def test_vectors_of_questions_are_of_what_made_them(machine, tmp_path):
    for image in ("", "paper:2", "paper:2"):
        machine("one", "one folder", image=image).encoders.text("blue")
    assert len(list((tmp_path / "cache" / "questions").iterdir())) == 2


def test_another_line_of_code_or_another_library_is_another_maker(tmp_path, monkeypatch):
    package = tmp_path / "pitwall_runtime"
    for source in makers.SOURCES:
        path = package / source if source.endswith(".py") else package / source / "code.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("RGB = (0, 1, 2)\n")
    monkeypatch.setattr(makers, "__file__", str(package / "stores" / "makers.py"))

    def maker():
        makers._computing.cache_clear()
        return makers.made_by()

    known = [maker()]
    (package / "stages/encode" / "code.py").write_text("RGB = (2, 1, 0)\n")
    known.append(maker())
    site = tmp_path / "site" / "av-1.0.dist-info"
    site.mkdir(parents=True)
    (site / "METADATA").write_text("Metadata-Version: 2.1\nName: av\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(site.parent))
    for digest in ("one", "two"):
        (site / "RECORD").write_text(f"av/__init__.py,sha256={digest},10\n../../bin/pyav,,\n")
        known.append(maker())
    (site / "RECORD").write_text("av/__init__.py,sha256=two,10\nav-1.0.dist-info/INSTALLER,sha256=uv,2\n")
    installed_otherwise = maker()
    monkeypatch.undo()
    makers._computing.cache_clear()

    assert len(set(known)) == 4
    assert installed_otherwise == known[-1]


def test_every_library_that_makes_bytes_is_counted():
    root = Path(makers.__file__).parents[1]
    files = [file for source in makers.SOURCES for file in makers._files(root / source) if file.suffix == ".py"]
    trees = [ast.walk(ast.parse(file.read_text())) for file in files]
    nodes = [node for tree in trees for node in tree]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) if node.module}
    of_others = {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"pitwall_crds", "pitwall_runtime"}
    keepers = {"obstore", "redis"}
    there = metadata.packages_distributions()
    distributions = {name: there[name] for name in of_others - keepers if name in there}

    assert {"av", "torch", "PIL"} <= distributions.keys()
    assert [name for name, all_of in distributions.items() if not set(all_of) & set(_spelled())] == []


def _spelled() -> list[str]:
    """Names as their distributions may write them."""
    return [spelling for name in makers.LIBRARIES for spelling in (name, name.replace("-", "_"), name.capitalize())]
