"""Loads an encoder by name. `siglip…` names are open_clip models; anything else open_clip knows works as well."""

from pathlib import Path

from pitwall_crds.variant.variant import EncoderSpec
from pitwall_runtime.stages.encode.port import Encoder


def build(spec: EncoderSpec, cache_dir: Path) -> Encoder:
    """The encoder that `spec` names, loaded. Raises BadVariantError if its weights do not load."""
    encoder: Encoder
    match spec.name:
        case "conse":
            from pitwall_runtime.stages.encode.conse import Conse

            encoder = Conse(spec, cache_dir / "encoders")
        case "colours":
            from pitwall_runtime.stages.encode.colours import Colours

            encoder = Colours(spec)
        case _:
            from pitwall_runtime.stages.encode.openclip import OpenClip

            encoder = OpenClip(spec)
    return encoder
