"""Variant file: a path in, the one SamplerVariant in it out, or what is wrong with it."""

from pathlib import Path

from pitwall_crds.reading.load import InvalidResource, load_file
from pitwall_crds.variant import SamplerVariant
from pitwall_runtime.errors import BadVariant


def read_variant(path: Path) -> SamplerVariant:
    """The SamplerVariant in a YAML file. Raises BadVariant with file, line and remedy."""
    try:
        resources = load_file(path)
    except InvalidResource as error:
        raise BadVariant(str(error)) from None
    variants = [resource for resource in resources if isinstance(resource, SamplerVariant)]
    if len(variants) != 1:
        raise BadVariant(f"{path} holds {len(variants)} SamplerVariants; --variant needs a file with exactly one")
    return variants[0]
