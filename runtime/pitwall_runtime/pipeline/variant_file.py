"""Variant file: a path in, the one SamplerVariant in it out, or what is wrong with it."""

from pathlib import Path

from pitwall_crds.errors import InvalidResourceError
from pitwall_crds.reading.load import load_file
from pitwall_crds.variant import SamplerVariant
from pitwall_runtime.errors import BadVariantError


def read_variant(path: Path) -> SamplerVariant:
    """The SamplerVariant in a YAML file. Raises BadVariant with file, line and remedy."""
    try:
        resources = load_file(path)
    except InvalidResourceError as error:
        raise BadVariantError(str(error)) from None
    variants = [resource for resource in resources if isinstance(resource, SamplerVariant)]
    if len(variants) != 1:
        raise BadVariantError(f"{path} holds {len(variants)} SamplerVariants; --variant needs a file with exactly one")
    return variants[0]
