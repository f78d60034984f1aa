"""Reads the SamplerVariant from a YAML file."""

from pathlib import Path

from pitwall_crds.errors import InvalidResourceError
from pitwall_crds.reading.load import load_file
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_runtime.errors import BadVariantError


def read_variant(path: Path) -> SamplerVariant:
    """The SamplerVariant in a YAML file. Raises BadVariantError with file, line and remedy."""
    try:
        resources = load_file(path)
    except InvalidResourceError as error:
        raise BadVariantError(str(error)) from None
    variants = [resource for resource in resources if isinstance(resource, SamplerVariant)]
    if len(variants) != 1:
        raise BadVariantError(f"{path} holds {len(variants)} SamplerVariants; --variant needs a file with exactly one")
    return variants[0]
