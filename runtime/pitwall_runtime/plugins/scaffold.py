"""`pitwall new-sampler NAME`: writes a package with a working sampler, its tests, a Dockerfile and a SamplerVariant."""

import argparse
import re
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

from pitwall_runtime.samplers.catalogue import names

MOST_CHARACTERS: Final = 40
"""A variant's name ends with its version, and its Services' with the pool."""

_YAML_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
"""What YAML 1.1, which Kubernetes speaks, takes for truth or nothing."""

TEMPLATES: Final[Mapping[str, str]] = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "sampler.py": "src/@MODULE@/sampler.py",
    "test_sampler.py": "tests/test_sampler.py",
    "Dockerfile": "Dockerfile",
    "variant.yaml": "variant.yaml",
}
"""Where each file of `template/` goes."""


def new_sampler(name: str, folder: Path) -> list[Path]:
    """The files that were written, all or none. Raises ValueError with what is wrong with the name or the folder."""
    fault = _fault(name)
    if fault:
        raise ValueError(f"{name!r} is no name for a sampler: {fault}; choose one like my-paper")
    if name in names():
        raise ValueError(f"there is a sampler {name!r} already; choose another name, or uninstall that one")
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty; choose a new folder with --folder")
    module = "sampler_" + name.replace("-", "_")
    words = {"@NAME@": name, "@MODULE@": module, "@MODULE-DASHED@": module.replace("_", "-")}
    texts = {_filled(target, words): _filled(_template(source), words) for source, target in TEMPLATES.items()}
    texts[f"src/{module}/__init__.py"] = f'"""The sampler {name}."""\n'
    written = []
    for target, text in texts.items():
        path = folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return sorted(written)


def _fault(name: str) -> str:
    """What keeps it from naming a sampler, a package and a resource, all at once; empty if nothing does."""
    faults = (
        (not name, "it is empty"),
        (len(name) > MOST_CHARACTERS, f"it has {len(name)} characters, at most {MOST_CHARACTERS} are allowed"),
        (re.search("[^-a-z0-9]", name), "only lower-case letters a to z, digits and '-' are allowed"),
        (not re.match("[a-z]", name), "it must begin with a letter, or YAML may read it as a number or a date"),
        (name.endswith("-"), "it must end with a letter or a digit"),
        (name in _YAML_WORDS, "YAML reads it as no text"),
    )
    return next((words for is_wrong, words in faults if is_wrong), "")


def _template(source: str) -> str:
    return files("pitwall_runtime.plugins").joinpath("template", f"{source}.tmpl").read_text(encoding="utf-8")


def _filled(text: str, words: Mapping[str, str]) -> str:
    for mark, word in words.items():
        text = text.replace(mark, word)
    return text


def main(arguments: list[str] | None = None) -> int:
    """Write the package and say what comes next; 2 with a sentence if it cannot be."""
    parser = argparse.ArgumentParser(prog="pitwall new-sampler", description="Begin a package with a sampler.")
    parser.add_argument("name", help="lower-case letters, digits and '-'; a letter first")
    parser.add_argument("--folder", type=Path, help="default: a new folder of that name, here")
    chosen = parser.parse_args(arguments)
    folder = chosen.folder or Path(chosen.name)
    try:
        written = new_sampler(chosen.name, folder)
    except (ValueError, OSError) as error:
        print(f"pitwall new-sampler: {error}", file=sys.stderr)
        return 2
    print("\n".join(map(str, written)))
    print(f"next: cd {folder} && pip install -e '.[test]' && pytest && pitwall check-sampler {chosen.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
