"""Every encoder family by name. `siglip…` names are open_clip models; anything else open_clip knows works as well."""

from pathlib import Path

from pitwall_crds.variant import EncoderSpec
from pitwall_runtime.encode.port import Encoder


def build(spec: EncoderSpec, cache_dir: Path) -> Encoder:
    """The encoder that `spec` names, loaded. Raises BadVariant if its weights do not load."""
    encoder: Encoder
    if spec.name == "conse":
        from pitwall_runtime.encode.conse import Conse

        encoder = Conse(spec, cache_dir / "encoders")
    else:
        from pitwall_runtime.encode.openclip import OpenClip

        encoder = OpenClip(spec)
    return encoder
