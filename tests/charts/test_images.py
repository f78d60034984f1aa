"""What the Dockerfiles promise: a pinned base, locked packages, an ordinary user, and a program that starts."""

import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
IMAGES = sorted((ROOT / "images").glob("*.Dockerfile"))
COMPONENTS = [path.name.removesuffix(".Dockerfile") for path in IMAGES]
START = """
import importlib.abc, json, runpy, sys
missing = set(json.loads(sys.argv[1]))
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"{name} is not in the image", name=name)
sys.meta_path.insert(0, Refuse())
module, sys.argv = sys.argv[2], [sys.argv[2], "--help"]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""
"""Starts a module in an interpreter that has only what the image has."""


def instructions(component):
    """(instruction, text) of a Dockerfile, continued lines joined."""
    text = (ROOT / "images" / f"{component}.Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(line.split(None, 1)) for line in lines]


def pins(name):
    """Package → version of a lock."""
    return dict(
        re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / "requirements" / f"{name}.lock").read_text(), re.MULTILINE)
    )


def test_every_component_has_an_image():
    assert COMPONENTS == ["flags", "gateway", "operator", "runtime"]


@pytest.mark.parametrize("path", IMAGES, ids=COMPONENTS)
def test_hadolint_finds_nothing(path):
    linter = Path(sys.executable).with_name("hadolint")
    found = subprocess.run([linter, "--no-color", path], capture_output=True, check=False, text=True, timeout=60)

    assert (found.stdout, found.returncode) == ("", 0)


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_base_is_pinned_by_a_digest_that_the_builder_gives(component):
    found = instructions(component)
    bases = [text.split()[0] for name, text in found if name == "FROM"]
    arguments = [text for name, text in found if name == "ARG"]

    assert set(bases) == {"${PYTHON_IMAGE}@${PYTHON_DIGEST}"}
    assert "PYTHON_DIGEST" in arguments, "it has no default: a wrong digest is worse than none"


@pytest.mark.parametrize("component", COMPONENTS)
def test_packages_come_locked_as_wheels_and_nothing_else_is_fetched(component):
    runs = " && ".join(text for name, text in instructions(component) if name == "RUN")
    commands = [command.strip() for command in runs.split("&&")]
    installs = [command for command in commands if " install " in command or " wheel " in command]
    fetching = [command for command in installs if "--no-index" not in command]

    assert fetching
    assert all("--require-hashes --no-deps --only-binary :all:" in command for command in fetching)
    assert not re.search(r"curl|wget|apt-get|apk |git |https?://", runs)
    assert not any(name == "ADD" for name, _ in instructions(component))


@pytest.mark.parametrize("component", COMPONENTS)
def test_it_runs_as_an_ordinary_user_and_says_its_ports(component):
    last_stage = instructions(component)
    while any(name == "FROM" for name, _ in last_stage[1:]):
        last_stage = last_stage[1:]

    assert last_stage[0][0] == "FROM"
    assert [text for name, text in last_stage if name == "USER"] == ["65532:65532"]
    assert [text for name, text in last_stage if name == "EXPOSE"]
    assert [name for name, _ in last_stage].count("ENTRYPOINT") == 1


@pytest.mark.parametrize("component", COMPONENTS)
def test_what_is_copied_exists_and_is_not_ignored(component):
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [text.split()[:-1] for name, text in instructions(component) if name == "COPY" and "--from" not in text]
    sources = [source.rstrip("/") for sources in copied for source in sources]

    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert [source for source in sources if source.split("/")[0] not in allowed] == []


@pytest.mark.parametrize("name", [*COMPONENTS, "build", "models"])
def test_a_lock_has_the_tested_versions_hashes_and_no_address(name):
    text = (ROOT / "requirements" / f"{name}.lock").read_text()
    tested = pins("dev") | pins("models")

    assert pins(name)
    assert {package: version for package, version in pins(name).items() if tested.get(package) != version} == {}
    assert all("--hash=sha256:" in entry for entry in re.split(r"\n(?=\S)", text.strip()))
    assert "://" not in text


@pytest.mark.parametrize("component", COMPONENTS)
def test_the_entry_point_starts_with_the_images_packages_alone(component, tmp_path):
    (entry,) = [text for name, text in instructions(component) if name == "ENTRYPOINT"]
    program, option, module = json.loads(entry)
    there = {re.sub(r"[-_.]+", "-", package) for package in {**pins(component), "pitwall": ""}}
    distributions = importlib.metadata.packages_distributions()
    missing = [
        package
        for package, names in distributions.items()
        if not any(re.sub(r"[-_.]+", "-", name.lower()) in there for name in names)
    ]
    start = [sys.executable, "-c", START, json.dumps(missing), module]
    done = subprocess.run(start, capture_output=True, check=False, text=True, timeout=110, cwd=tmp_path)

    assert (program, option) == ("python3", "-m")
    assert "pytest" in missing
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout


def test_only_the_runtime_carries_torch():
    assert [component for component in COMPONENTS if "torch" in pins(component)] == ["runtime"]


@pytest.fixture(scope="module")
def notices():
    """The script that tells what is in the images."""
    spec = importlib.util.spec_from_file_location("notices", ROOT / "scripts" / "notices.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["notices"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("component", COMPONENTS)
def test_an_image_says_of_every_package_which_licence_it_has(notices, component):
    """A wheel that begins to bundle a library whose licence nobody has looked up ends the script here."""
    locked = pins(component) | (pins("models") if component == "runtime" else {})
    told = notices.packages(component)

    assert {one.name: one.version for one in told} == locked
    assert [one.name for one in told if one.licence in ("", "UNKNOWN", "see the package")] == []
    assert all(notices.licence_of(name) for one in told for name in one.libraries)
    assert (ROOT / "images" / "notices" / f"{component}.md").read_text() == notices.notice(component)


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_bill_of_materials_lists_the_lock_and_refers_to_nothing_that_is_not_there(component):
    bill = json.loads((ROOT / "images" / "notices" / f"{component}.cdx.json").read_text())
    locked = pins(component) | (pins("models") if component == "runtime" else {})
    references = [one["bom-ref"] for one in bill["components"]]

    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert {one["purl"] for one in bill["components"]} == {f"pkg:pypi/{name}@{pin}" for name, pin in locked.items()}
    assert len(set(references)) == len(references)
    assert all(set(one["dependsOn"]) <= set(references) for one in bill["dependencies"])


@pytest.mark.parametrize("component", COMPONENTS)
def test_an_image_carries_its_notice_and_its_bill(component):
    (copied,) = [text for name, text in instructions(component) if name == "COPY" and "/usr/share/doc/pitwall/" in text]

    assert copied.split()[:-1] == [
        "LICENSE", f"images/notices/{component}.md", f"images/notices/{component}.cdx.json",
    ]  # fmt: skip


def test_the_notice_says_of_the_decoder_what_the_decoder_says_of_itself():
    """And what it does not say: that it is linked with libraries under the GPL."""
    from av._core import library_meta

    codec, notice = library_meta["libavcodec"], (ROOT / "images" / "notices" / "runtime.md").read_text()
    page = (ROOT / "docs" / "licences.md").read_text()

    assert codec["license"] == "LGPL version 3 or later"
    assert f"{codec['license']} {'enable-libx264' in codec['configuration']}\n" in page
    assert "libx264 (GPL-2.0-or-later)" in notice
    assert "so what is conveyed together is under the GPL" in notice.replace("\n", " ")


def test_the_notice_tells_what_wheels_bundle_in_whatever_folder_and_of_whatever_kind():
    """NVIDIA's assembler in a package under the MIT licence, bitcode, a library beside torch's own."""
    notice = (ROOT / "images" / "notices" / "runtime.md").read_text()
    bill = json.loads((ROOT / "images" / "notices" / "runtime.cdx.json").read_text())
    (triton,) = [one for one in bill["components"] if one["name"] == "triton"]
    (not_free,) = [line for line in notice.splitlines() if line.startswith("Under NVIDIA's licence agreements")]

    assert all(f"{name} (in triton)" in not_free for name in ("ptxas", "libcupti", "libdevice"))
    assert re.search(r"bundled in torch \S+: libgomp \(GPL-3\.0-or-later WITH GCC-exception-3\.1\)", notice)
    assert {"ptxas", "libcupti_static", "ockl"} <= {one["name"] for one in triton["components"]}


def test_only_the_runtime_carries_what_is_no_free_software():
    notices = {component: (ROOT / "images" / "notices" / f"{component}.md").read_text() for component in COMPONENTS}

    assert [component for component, text in notices.items() if "Not free software" in text] == ["runtime"]
    assert [component for component, text in notices.items() if "libx264" in text] == ["runtime"]
