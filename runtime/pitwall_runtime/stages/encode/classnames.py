"""ImageNet-1k's class names, in the order of a classifier's outputs, from torchvision's metadata."""

import importlib.util
from functools import cache
from pathlib import Path

_COUNT = 1000


@cache
def class_names() -> tuple[str, ...]:
    """1000 names. The metadata file is read alone: importing all of torchvision takes two seconds more."""
    names = _from_file()
    if len(names) != _COUNT:
        raise RuntimeError(
            f"torchvision knows {len(names)} ImageNet classes instead of {_COUNT}; reinstall torchvision"
        )
    return names


def _from_file() -> tuple[str, ...]:
    package = importlib.util.find_spec("torchvision")
    folders = list(package.submodule_search_locations or []) if package else []
    for folder in folders:
        spec = importlib.util.spec_from_file_location("imagenet_names", Path(folder, "models", "_meta.py"))
        if spec and spec.loader and Path(str(spec.origin)).is_file():
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return tuple(getattr(module, "_IMAGENET_CATEGORIES", ()))
    return ()
