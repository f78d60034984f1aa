"""Plug-ins that are broken in every way, behind the real gateway: their questions fall back, they are told by name, and
nobody else notices."""

import os
import re
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from house import House, pitwall, running, until

from pitwall_crds.names import Arm, Header, Metric
from pitwall_crds.rollout.status import Verdict

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MOODY = """
    import threading
    from pitwall_runtime.media import Selection
    from pitwall_runtime.samplers.contract import Sampler, Stability

    def select(context, parameters):
        if "raises" in context.question:
            return Selection.of([int("many")])
        if "hangs" in context.question:
            threading.Event().wait()
        if "few" in context.question:
            return Selection.of(range(context.budget - 1))
        if "foreign" in context.question:
            return Selection.of(range(context.pool_size - 1, context.pool_size - 1 + context.budget))
        return Selection.of(range(context.budget))

    SAMPLER = Sampler(name="moody", select=select, parameters={}, contract=1, stability=Stability.ALPHA,
                      summary="Fails in the way that the question asks for.")
"""
ABSENT = "import library_of_the_paper\n"
VARIANT = """
apiVersion: pitwall.dev/v1alpha1
kind: SamplerVariant
metadata: {{name: {name}-v1}}
spec:
  sampler: {{name: {name}, allowance: {{milliseconds: 200}}}}
  maxFrames: 4
  encoder: {{name: colours}}
---
"""
ROLLOUT = """
apiVersion: pitwall.dev/v1alpha1
kind: Rollout
metadata: {{name: sampler}}
spec:
  flag: sampler.variant
  variantRef: {{name: {name}-v1}}
  stages: [{{weightBasisPoints: 5000, minSeconds: 3600}}, {{weightBasisPoints: 10000}}]
  analysis:
    blockSeconds: 1
    gates:
      - name: errors
        rate: {{metric: Errors}}
        absoluteMarginBasisPoints: 500
        dependence: Query
        onHarm: Observe
"""


def package(site: Path, name: str, code: str) -> None:
    """A package with a sampler as pip would leave it."""
    info = site / f"{name}_paper-1.0.dist-info"
    info.mkdir(parents=True)
    (site / f"{name}_paper.py").write_text(textwrap.dedent(code))
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-paper\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[pitwall.samplers]\n{name} = {name}_paper:SAMPLER\n")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds of a test picture."""
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed (scripts/servers.sh installs it)")
    path = tmp_path_factory.mktemp("media") / "clip.mp4"
    picture = ["-f", "lavfi", "-i", "testsrc=duration=8:size=96x64:rate=8", "-pix_fmt", "yuv420p"]
    subprocess.run(["ffmpeg", "-v", "error", *picture, str(path)], check=True, timeout=60)
    return path


@pytest.fixture(scope="module")
def house(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """`uniform` serves; the packages of `moody` and `absent` are installed."""
    folder = tmp_path_factory.mktemp("house")
    package(folder / "site", "moody", MOODY)
    package(folder / "site", "absent", ABSENT)
    variants = "".join(VARIANT.format(name=name) for name in ("uniform", "moody", "absent"))
    (folder / "variants.yaml").write_text(variants)
    for name in ("uniform", "moody", "absent"):
        (folder / f"{name}.yaml").write_text(ROLLOUT.format(name=name))
    site = {"PYTHONPATH": f"{folder / 'site'}:{os.environ.get('PYTHONPATH', '')}"}
    files = (folder / "variants.yaml", folder / "uniform.yaml")
    with running(folder / "state", clip, *files, environment=site) as made:
        yield made


def roll_out(house: House, name: str) -> None:
    pitwall(house.state, "apply", "-f", house.state.parent / f"{name}.yaml")


def ready(house: House, variant: str) -> str:
    """What the variant's condition Ready says."""
    conditions = house.variant(variant).status.conditions
    return next((one.message for one in conditions if one.type == "Ready"), "")


def test_one_that_imports_what_is_missing_serves_nobody_and_says_what_to_install(house):
    roll_out(house, "absent")
    until(lambda: "cannot be imported" in ready(house, "absent-v1"))

    assert re.search(
        r"sampler 'absent' of package absent-paper 1\.0 \(absent_paper:SAMPLER\) cannot be imported: "
        r"ModuleNotFoundError: No module named 'library_of_the_paper'; install what it needs into the image",
        ready(house, "absent-v1"),
    )
    answers = [house.ask(user=f"user-{number}") for number in range(10)]
    assert {answer.headers[Header.VARIANT] for answer in answers} == {"uniform-v1"}
    assert not any(Header.FALLBACK in answer.headers for answer in answers)


@pytest.fixture(scope="module")
def candidate(house: House) -> str:
    """A user of `moody`, once it serves half of them."""
    roll_out(house, "moody")
    users = [f"user-{number}" for number in range(40)]
    found: list[str] = []

    def served() -> bool:
        found.extend(user for user in users if house.ask(user=user).headers[Header.VARIANT] == "moody-v1")
        return bool(found)

    until(served)
    return found[0]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("raises", r"sampler 'moody' raised ValueError: .* at .*moody_paper\.py:\d+: `return Selection\.of\(\[int"),
        ("hangs", r"'moody' had not chosen after \d+ ms, 200 are allowed; it was at .*moody_paper\.py:\d+: `threading"),
        ("too few", r"sampler 'moody' chose 3 frames; it must choose exactly 4 of 8"),
        ("foreign", r"sampler 'moody' chose frame 10; the pool's last is 7"),
    ],
)
def test_a_question_that_it_fails_is_answered_by_stable_and_counts_against_it(house, candidate, question, words):
    bad = {"sampler_variant": "moody-v1", "arm": Arm.CANDIDATE, "outcome": "error"}
    before, others = house.counted(Metric.QUERIES, **bad), house.counted(Metric.QUERIES, outcome="error")
    answer = house.ask(question, user=candidate)
    fine = house.ask("a quiet one", user=candidate)

    assert (answer.status_code, answer.headers[Header.VARIANT], answer.headers[Header.FALLBACK]) == (
        200, "uniform-v1", "status",
    )  # fmt: skip
    assert (fine.status_code, fine.headers[Header.VARIANT]) == (200, "moody-v1")
    assert house.counted(Metric.QUERIES, **bad) == before + 1
    assert house.counted(Metric.QUERIES, outcome="error") == others + 1, "nobody else's"
    assert re.search(words, house.said("moody-v1")["served"]["lastFailure"])


@pytest.mark.soak
def test_its_failures_prove_harm_and_its_status_names_the_line(house, candidate):
    def harmful() -> bool:
        for number in range(10):
            house.ask("raises", user=f"user-{number}")  # of one alone it would be no harm
            house.ask("a quiet one", user=candidate)
            house.ask("a quiet one", user=f"other-{number}")
        return house.rollout().status.gates[0].verdict is Verdict.HARMFUL

    until(harmful, 180.0)

    def told() -> str:
        conditions = house.variant("moody-v1").status.conditions
        return next((one.message for one in conditions if one.type == "SamplerWorks"), "")

    until(lambda: "raised ValueError" in told(), 90.0)
    assert re.search(r"\d+ questions fell back: sampler 'moody' raised .*moody_paper\.py:\d+", told())
    assert "try it with `pitwall check-sampler moody`" in told()
