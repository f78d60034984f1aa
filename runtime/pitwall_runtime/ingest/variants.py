"""The variants that a worker prepares videos for: those of given files, or of a folder, as they are now."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pitwall_crds.variant.variant import SamplerVariant
from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.pipeline.pipeline import Pipeline
from pitwall_runtime.pipeline.variant_file import read_variant

log = logging.getLogger(__name__)

NamedPipeline = tuple[str, Pipeline]
"""A variant's name, and what prepares for it. Two revisions of a variant have the same name."""


@dataclass(slots=True)
class FollowedVariants:
    """Looked at again before each video. Nothing is built, nor torch imported, before there is one."""

    build: Callable[[SamplerVariant], Pipeline]
    files: Sequence[Path] = ()
    folder: Path | None = None
    _stamp: Sequence[object] = ()
    _variants: Sequence[SamplerVariant] = ()
    _made: dict[str, Pipeline | None] = field(default_factory=dict)

    def check(self) -> None:
        """Read and build what there is. Raises BadVariantError for what cannot be prepared for."""
        for variant in map(read_variant, self._paths()):
            self._made[_way(variant)] = self.build(variant)

    def known(self) -> bool:
        """Whether there is anything to prepare for."""
        self._look()
        return bool(self._variants)

    def pipelines(self) -> Sequence[NamedPipeline]:
        """Every variant that can be prepared for; those that decode and encode alike share a pipeline, so what it
        prepares is theirs too. One that cannot be used is told once and left out."""
        self._look()
        built = ((variant.metadata.name, self._built(variant)) for variant in self._variants)
        return [(name, pipeline) for name, pipeline in built if pipeline]

    def _built(self, variant: SamplerVariant) -> Pipeline | None:
        way = _way(variant)
        if way not in self._made:
            try:
                self._made[way] = self.build(variant)
            except BadVariantError as error:
                self._made[way] = None
                _warn(variant.metadata.name, error)
        return self._made[way]

    def _look(self) -> None:
        paths = self._paths()
        stamp = [_stamp(path) for path in paths]
        if stamp == self._stamp:
            return
        self._stamp, self._variants = stamp, [variant for path in paths if (variant := _read(path))]
        ways = {_way(variant) for variant in self._variants}
        self._made = {way: pipeline for way, pipeline in self._made.items() if way in ways and pipeline}

    def _paths(self) -> Sequence[Path]:
        return [*self.files, *(sorted(self.folder.glob("*.yaml")) if self.folder else ())]


def _way(variant: SamplerVariant) -> str:
    """How a variant decodes and encodes."""
    return variant.spec.decode.model_dump_json() + variant.spec.encoder.model_dump_json()


def _read(path: Path) -> SamplerVariant | None:
    try:
        return read_variant(path)
    except BadVariantError as error:
        _warn(path.name, error)
        return None


def _stamp(path: Path) -> tuple[Path, float, int]:
    try:
        status = path.stat()
    except OSError:
        return path, 0.0, 0
    return path, status.st_mtime, status.st_ino


def _warn(what: str, error: BadVariantError) -> None:
    log.warning("nothing is prepared for %s: %s", what, error.message)
