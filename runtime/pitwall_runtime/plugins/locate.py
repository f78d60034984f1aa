"""Finds a sampler by its name, or by `module:attribute` while it has no entry point yet."""

import importlib
import sys
from pathlib import Path

from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.samplers.catalogue import find
from pitwall_runtime.samplers.containment import ImportFailedError, imported
from pitwall_runtime.samplers.contract import Sampler


def locate(name: str) -> Sampler:
    """The sampler. Raises BadVariantError with what is missing; modules of the present folder are found too."""
    module, colon, attribute = name.partition(":")
    if not colon:
        return find(name)
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = imported(lambda: getattr(importlib.import_module(module), attribute), module)
    except ImportFailedError as error:
        raise BadVariantError(f"{name} cannot be imported: {error}") from error
    if not isinstance(found, Sampler):
        raise BadVariantError(f"{name} is a {type(found).__name__}; name an attribute that is a contract.Sampler")
    return found
