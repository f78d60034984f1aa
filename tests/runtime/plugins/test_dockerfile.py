"""A package's Dockerfile, step by step as a builder carries it out, with fresh virtual environments for base images."""

import json
import os
import re
import shlex
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from pitwall_runtime.plugins.scaffold import new_sampler

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

EXAMPLE = Path(__file__).parents[3] / "examples" / "plug-in"
IMAGES = Path(__file__).parents[3] / "images"


class StepError(Exception):
    """An instruction of the Dockerfile failed: the image is not built."""


class BuildStage:
    """The root of one stage's file system, and what its instructions have set."""

    def __init__(self, root: Path) -> None:
        self.root, self.folder, self.user = root, root, "0:0"
        venv.create(root / "usr/local", with_pip=True)

    def inside(self, path: str) -> Path:
        """A path of the image as it lies here."""
        return self.root / path.lstrip("/") if path.startswith("/") else self.folder / path

    def run(self, command: str) -> str:
        """The output of a RUN instruction in shell or in exec form. Raises StepError if it fails."""
        shell = shlex.join(json.loads(command)) if command.startswith("[") else command
        here = re.sub(r"(?<![\w./-])/(?=wheels|venv/|usr/local/)", f"{self.root}/", shell)
        path = f"{self.root}/venv/bin:{self.root}/usr/local/bin:/usr/bin:/bin"
        kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "UV_", "HOME"))}
        done = subprocess.run(
            ["/bin/sh", "-c", here], cwd=self.folder, env={**kept, "PATH": path}, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
        )  # fmt: skip
        if done.returncode:
            raise StepError(f"RUN {command}\n{done.stdout}")
        return done.stdout


def python_image(root: Path) -> BuildStage:
    """python:3.11-slim: an interpreter with pip under /usr/local."""
    return BuildStage(root)


def runtime_image(root: Path) -> BuildStage:
    """Pitwall's own: the runtime and what it needs in /venv, which has no pip."""
    stage = BuildStage(root)
    venv.create(root / "venv", with_pip=False)
    packages = next((root / "venv" / "lib").glob("python3*")) / "site-packages"
    paths = filter(None, [*os.environ.get("PYTHONPATH", "").split(":"), *site.getsitepackages()])
    # A folder that a .pth file names has no say by .pth files of its own, and a checkout is installed by one.
    lines = [f"import site; site.addsitedir({path!r})" for path in paths]
    (packages / "runtime.pth").write_text("\n".join(lines) + "\n")
    return stage


def build(context: Path, work: Path) -> BuildStage:
    """The last stage of the image that the folder's Dockerfile describes. Raises StepError."""
    text = re.sub(r"\\\n", " ", (context / "Dockerfile").read_text())
    stages: dict[str, BuildStage] = {}
    stage: BuildStage | None = None
    for line in (one.strip() for one in text.splitlines()):
        word, _, rest = line.partition(" ")
        if word in ("", "#", "ARG") or word.startswith("#"):
            continue
        if word == "FROM":
            image, _, name = rest.partition(" AS ")
            make = {"${PYTHON_IMAGE}": python_image, "${RUNTIME_IMAGE}": runtime_image}[image]
            stage = stages[name] = make(work / (name or "last"))
            continue
        assert stage is not None, f"{line} before FROM"
        _carry_out(stage, stages, context, word, rest)
    assert stage is not None
    return stage


def _carry_out(stage: BuildStage, stages: dict[str, BuildStage], context: Path, word: str, rest: str) -> None:
    match word:
        case "WORKDIR":
            stage.folder = stage.inside(rest)
            stage.folder.mkdir(parents=True, exist_ok=True)
        case "COPY":
            *options, target = rest.split()
            origin = context
            if options[0].startswith("--from="):
                origin = stages[options.pop(0).removeprefix("--from=")].root
            for source in options:
                _copy(origin / source.strip("/"), stage.inside(target))
        case "RUN":
            stage.run(rest)
        case "USER":
            stage.user = rest
        case _:
            raise AssertionError(f"this test knows no {word}; teach it")


def _copy(source: Path, target: Path) -> None:
    """As COPY does: a folder's content into the target, a file under its own name into it."""
    assert source.exists(), f"COPY {source}: it is not there"
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target / source.name)


@pytest.fixture(params=["new-sampler", "example"])
def package(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """A sampler's name and its package's folder."""
    folder = tmp_path / "package"
    if request.param == "example":
        shutil.copytree(EXAMPLE, folder)
        return "peaks-apart", folder
    new_sampler("my-paper", folder)
    return "my-paper", folder


def test_the_image_serves_the_sampler_and_does_not_run_as_root(package, tmp_path):
    name, folder = package
    image = build(folder, tmp_path / "image")
    listed = json.loads(image.run("python3 -m pitwall_runtime catalogue --json"))

    assert name in {entry["name"] for entry in listed["samplers"]}
    assert listed["broken"] == []
    assert image.user == "65532:65532"


def test_an_image_whose_sampler_breaks_the_contract_is_not_built(tmp_path):
    new_sampler("my-paper", tmp_path / "package")
    code = tmp_path / "package" / "src" / "sampler_my_paper" / "sampler.py"
    code.write_text(code.read_text().replace("Selection.of(best,", "Selection.of(best[:-1],"))

    with pytest.raises(StepError, match=r"RUN .*check-sampler.*\n(.*\n)*.*BROKEN  chooses exactly min\(budget, N\)"):
        build(tmp_path / "package", tmp_path / "image")


def test_the_base_image_has_what_the_dockerfile_relies_on():
    """An interpreter's own pip beside a /venv without one, and the same user."""
    runtime = (IMAGES / "runtime.Dockerfile").read_text()

    assert "python3 -m venv --without-pip /venv" in runtime
    assert 'ENV PATH="/venv/bin:$PATH"' in runtime
    assert "USER 65532:65532" in runtime
    assert sys.version_info[:2] >= (3, 11)
