"""The example of a sampler in a package of its own: it installs, is found, keeps the contract, and fits its files."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pitwall_crds.reading.load import load_file
from pitwall_runtime.plugins.scaffold import new_sampler

EXAMPLE = Path(__file__).parents[2] / "examples" / "plug-in"


def run(*command, folder=EXAMPLE, **environment):
    done = subprocess.run(
        list(map(str, command)), cwd=folder, capture_output=True, text=True, check=False, timeout=110,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """PYTHONPATH with the package as pip would install it."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "site")
    return f"{folder / 'site'}:{os.environ.get('PYTHONPATH', '')}"


def test_it_is_what_new_sampler_writes_but_for_what_its_page_says(tmp_path):
    written = {path.relative_to(tmp_path) for path in new_sampler("peaks-apart", tmp_path)}
    kept = {path.relative_to(EXAMPLE) for path in EXAMPLE.rglob("*") if path.is_file() and "cache" not in str(path)}

    assert kept == {*written, Path("rollout.yaml")}
    for name in ("Dockerfile", "pyproject.toml"):
        assert (EXAMPLE / name).read_text() == (tmp_path / name).read_text()


def test_the_pages_first_commands_make_the_package_of_this_folder(tmp_path):
    page = (EXAMPLE / "README.md").read_text()
    commands = re.findall(r"^\$ ((?:pitwall new-sampler|cp|pip install) .*?)(?: +#.*)?$", page, re.MULTILINE)
    checkout = tmp_path / "pitwall"
    (checkout / "examples").mkdir(parents=True)
    shutil.copytree(EXAMPLE, checkout / "examples" / "plug-in")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for command in commands:
        if not command.startswith("pip"):
            run("sh", "-c", command, folder=checkout, PATH=path)

    assert [command for command in commands if "pip" in command] == ["pip install -e '../peaks-apart[test]'"]
    for name in ("src/sampler_peaks_apart/sampler.py", "tests/test_sampler.py", "pyproject.toml", "variant.yaml"):
        assert (tmp_path / "peaks-apart" / name).read_text() == (EXAMPLE / name).read_text()


def test_its_own_tests_pass_which_run_the_conformance_suite():
    assert "5 passed" in run(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "tests"
    )


def test_its_files_pass_the_webhook_by_the_catalogue_of_the_installed_package(installed, tmp_path):
    said = run(sys.executable, "-m", "pitwall_runtime", "catalogue", "--json", PYTHONPATH=installed)
    (tmp_path / "catalogue.json").write_text(said)
    lint = [
        "-c",
        "from pitwall_operator.cli.app import main; main()",
        "lint",
        "--catalogue",
        tmp_path / "catalogue.json",
    ]
    told = run(sys.executable, *lint, EXAMPLE / "variant.yaml", EXAMPLE / "rollout.yaml")

    assert "SamplerVariant peaks-apart-v1: good" in told
    assert "Rollout sampler: good" in told
    entry = next(one for one in json.loads(said)["samplers"] if one["name"] == "peaks-apart")
    assert set(load_file(EXAMPLE / "variant.yaml")[0].spec.sampler.parameters) <= set(entry["parameters"]["properties"])
