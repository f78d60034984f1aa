"""The packaged language model words an answer about what the moments show."""

import os
import time
from pathlib import Path

import pytest

from pitwall_crds.host import build as images
from pitwall_crds.variant.variant import AnswerSpec
from pitwall_runtime.ask.__main__ import default_cache_dir
from pitwall_runtime.stages.answer import local
from pitwall_runtime.stages.answer.catalogue import build
from pitwall_runtime.stages.answer.moments import group
from pitwall_runtime.stages.answer.port import Brief, Evidence


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """What a process of an image finds as its model, or makes; `hours_ago` is when it began."""
    made = []

    def unpack(_, folder):
        (folder / "weights").write_bytes(b"x")
        made.append(folder)

    def begin(image, *, hours_ago=0.0):
        monkeypatch.setenv(images.VARIABLE, image)
        folder = local._unpacked(tmp_path)
        os.utime(folder, (time.time() - 3600 * hours_ago,) * 2)
        return folder

    monkeypatch.setattr(local, "_folder", lambda: tmp_path)
    monkeypatch.setattr(local, "_unpack", unpack)
    begin.made = made
    return begin


def test_each_tag_of_an_image_leaves_a_model_and_only_the_last_few_stay(begun):
    own = begun("", hours_ago=99)
    tags = [begun(f"registry/candidate:{number}", hours_ago=24 - number) for number in range(20)]
    last = begun("registry/candidate:20")

    assert {*last.parent.iterdir()} == {own, *tags[-2:], last}
    assert begun("") == own
    assert len(begun.made) == 22


def test_a_model_that_is_begun_with_again_stays(begun):
    often = begun("often", hours_ago=9)
    others = [begun(f"other-{number}", hours_ago=8 - number) for number in range(2)]
    assert begun("often", hours_ago=6) == often

    begun("new")
    assert [path.is_dir() for path in (often, *others)] == [True, False, True]
    assert len(begun.made) == 4


def test_a_model_that_may_just_be_read_stays(begun):
    lately = [begun(f"late-{number}", hours_ago=0.5) for number in range(5)]

    begun("new")
    assert all(path.is_dir() for path in lately)


def test_what_a_killed_process_left_half_made_goes_and_what_is_being_made_stays(begun):
    models = begun("").parent
    old, new, foreign = models / ".draft-old", models / ".draft-new", models / "of-somebody"
    for folder in (old, new, foreign):
        folder.mkdir()
    for folder in (old, foreign):
        os.utime(folder, (time.time() - 7200,) * 2)

    begun("candidate:1")
    assert [path.is_dir() for path in (old, new, foreign)] == [False, True, True]


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("ignore")
def test_smollm_answers_in_words_within_its_tokens():
    evidence = [Evidence(0, 316.0, 317.0, 0, 0.6, ("bow", "arrow")), Evidence(9, 445.0, 446.0, 9, 0.4, ("fence",))]
    engine = build(AnswerSpec(engine="local", max_tokens=40), default_cache_dir())
    answer = engine.answer(Brief("When is there a bow?", evidence, group(evidence), list, [16] * len(evidence)))
    assert 0 < answer.completion_tokens <= 40
    assert answer.text.endswith(" [5:16–5:17 (bow, arrow)]")
    assert len(answer.text.split()) > 5
    assert answer.moments[0].pts_seconds == 316.0
    maps = Path("/proc/self/maps")
    if maps.exists():
        assert "model.safetensors" not in maps.read_text(), "its file may be deleted"
    again = engine.answer(Brief("When is there a bow?", evidence, group(evidence), list, [16] * len(evidence)))
    assert again.text == answer.text
