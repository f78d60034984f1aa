"""What a pipeline may use of its machine: the cache folder, memory, and what machines share."""

from dataclasses import dataclass, field
from pathlib import Path

from pitwall_runtime.stages.decode.memory import DecodeMemory
from pitwall_runtime.stores.embeddings.embed_cache import HOT_BYTES
from pitwall_runtime.stores.files.eviction import Quota
from pitwall_runtime.stores.network.shared import Shared


@dataclass(frozen=True, slots=True)
class PipelineResources:
    """Pipelines of one process share them.

    `quota` bounds the cache's folder, `hot_bytes` the embeddings in memory, `decode_memory` all decodings together.
    `shots` names what finds cuts (`transnetv2`), if not PySceneDetect.
    """

    quota: Quota
    hot_bytes: int = HOT_BYTES
    decode_memory: DecodeMemory = field(default_factory=DecodeMemory)
    shared: Shared | None = None
    shots: str = ""

    @classmethod
    def alone(cls, cache_dir: Path) -> "PipelineResources":
        """Of a pipeline that has the machine for itself."""
        return cls(Quota(cache_dir))
