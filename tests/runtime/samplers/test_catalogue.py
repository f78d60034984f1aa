"""A sampler is found by name, built in or of an installed package; whatever is wrong is said with its remedy."""

import sys

import pytest

from pitwall_crds.variant.variant import SamplerSpec
from pitwall_runtime.errors import BadVariantError, SamplerFailedError
from pitwall_runtime.media import Selection
from pitwall_runtime.samplers.catalogue import BUILT_IN, build, check, find, names
from pitwall_runtime.samplers.offline import offline_context

GOOD = """
    from pydantic import BaseModel
    from pitwall_runtime.media import Selection
    from pitwall_runtime.samplers.contract import Sampler, Stability

    class Parameters(BaseModel):
        start: int = 0

    def select(context, parameters):
        return Selection.of(range(parameters.start, parameters.start + context.budget))

    async def wait(context, parameters):
        return select(context, parameters)

    def made(name="first", select=select, contract=1):
        return Sampler(name=name, select=select, parameters=Parameters, contract=contract,
                       stability=Stability.ALPHA, summary="The first frames.")

    SAMPLER, WAITING, LATER, WORDS = made(), made("waiting", wait), made("later", contract=2), "first"
"""


@pytest.fixture
def installed(tmp_path, monkeypatch, write_package):
    """Installs a package for the rest of the test."""

    def install(package, entries, code=GOOD):
        monkeypatch.syspath_prepend(str(write_package(tmp_path / package, package, entries, code)))
        monkeypatch.delitem(sys.modules, package, raising=False)

    return install


def test_a_plug_in_is_one_entry_point(installed):
    installed("paper", {"first": "SAMPLER"})
    sampler = build(SamplerSpec(name="first", parameters={"start": 2}))

    assert "first" in names()
    assert sampler.choose(offline_context([0] * 9, 3)).indices == (2, 3, 4)


def test_an_async_plug_in_chooses_too(installed):
    installed("paper", {"waiting": "WAITING"})

    assert find("waiting").is_async
    assert build(SamplerSpec(name="waiting")).choose(offline_context([0] * 9, 2)).indices == (0, 1)


@pytest.mark.parametrize(
    ("entries", "code", "name", "words"),
    [
        pytest.param(
            {"first": "SAMPLER"}, "import torchaudio_of_the_paper", "first",
            "sampler 'first' of package paper 1.0 (paper:SAMPLER) cannot be imported: ModuleNotFoundError: "
            "No module named 'torchaudio_of_the_paper'; install what it needs",
            id="its module imports what is not there",
        ),
        pytest.param({"first": "MISSING"}, GOOD, "first", "has no attribute 'MISSING'", id="no such attribute"),
        pytest.param({"first": "WORDS"}, GOOD, "first", "is a str; the entry point must name", id="no sampler at all"),
        pytest.param({"second": "SAMPLER"}, GOOD, "second", "calls itself 'first'", id="two names"),
        pytest.param({"later": "LATER"}, GOOD, "later", "written for version 2 of the contract", id="another contract"),
        pytest.param({"aks": "SAMPLER"}, GOOD, "aks",
            "claimed by pitwall itself (pitwall_runtime.samplers.relevance.aks:SAMPLER) and package paper 1.0",
            id="the name of a built-in one",
        ),
        pytest.param({"first": "SAMPLER"}, "raise SystemError('no driver')", "first", "SystemError: no driver",
            id="its module raises",
        ),
        pytest.param({"first": "SAMPLER"}, "import sys\nsys.exit('no licence')", "first",
            "package paper 1.0 (paper:SAMPLER) cannot be imported: SystemExit: no licence; mend its module; "
            "it was at paper/paper.py:2: `sys.exit('no licence')`",
            id="its module ends the process",
        ),
    ],
)  # fmt: skip
def test_a_plug_in_that_cannot_serve_says_which_check_and_what_to_do(installed, entries, code, name, words):
    installed("paper", entries, code)

    with pytest.raises(BadVariantError) as refusal:
        find(name)
    assert words in refusal.value.message


def test_two_packages_that_fight_over_a_name_are_both_named_and_others_are_untouched(installed):
    installed("paper", {"first": "SAMPLER", "waiting": "WAITING"})
    installed("rival", {"first": "SAMPLER"})

    with pytest.raises(BadVariantError, match=r"(paper|rival) 1\.0 .* and package (paper|rival) 1\.0 .*; rename"):
        find("first")
    assert find("waiting").name == "waiting"
    assert find("aks").name == "aks"


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        pytest.param("akz", {}, f"unknown sampler 'akz'; choose one of {', '.join(sorted(BUILT_IN))}", id="unknown"),
        pytest.param("aks", {"peakThreshold": "1.5"}, "peakThreshold = '1.5'", id="too-large"),
        pytest.param("aks", {"maxDepth": 99}, "maxDepth = 99", id="too-deep"),
        pytest.param("aks", {"peak": "0.5"}, "parameter peak", id="unknown-parameter"),
        pytest.param("uniform", {"x": 1}, "parameter x", id="parameter-where-none-is"),
        pytest.param("dpp", {"sharpness": "many"}, "sharpness = 'many'", id="no-number"),
    ],
)
def test_a_wrong_variant_is_told_what_would_be_right(name, parameters, words):
    with pytest.raises(BadVariantError) as refusal:
        build(SamplerSpec(name=name, parameters=parameters))
    assert words in refusal.value.message


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        pytest.param(Selection((0, 1)), "chose 2 frames; it must choose exactly 4 of 80", id="too few"),
        pytest.param(Selection((0, 1, 2, 3, 4)), "chose 5 frames", id="too many"),
        pytest.param(Selection((0, 1, 2, 99)), "chose frame 99; the pool's last is 79", id="a foreign one"),
        pytest.param([0, 1, 2, 3], "gave a list; it must return a Selection", id="no selection"),
    ],
)
def test_a_sampler_that_breaks_the_contract_is_caught(selection, words):
    with pytest.raises(SamplerFailedError) as failure:
        check("mine", selection, offline_context([0] * 80, 4))
    assert failure.value.message.startswith("sampler 'mine' ")
    assert words in failure.value.message
