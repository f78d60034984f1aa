"""All decoders by name; each is imported when it is first asked for."""

from collections.abc import Callable
from typing import Final

from pitwall_runtime.decode.port import Decoder
from pitwall_runtime.errors import BadVariantError


def _pyav() -> Decoder:
    from pitwall_runtime.decode.libav.pyav import PyAv

    return PyAv()


DECODERS: Final[dict[str, Callable[[], Decoder]]] = {"pyav": _pyav}


def build(name: str) -> Decoder:
    """The decoder of this name. Raises BadVariantError if there is none, or if it cannot run here."""
    if name not in DECODERS:
        raise BadVariantError(f"unknown decode.backend {name!r}; use one of {', '.join(DECODERS)}")
    return DECODERS[name]()
