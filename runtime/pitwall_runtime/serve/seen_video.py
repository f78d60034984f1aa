"""What video a question is about, as its answer or refusal tells the gateway."""

import asyncio
from dataclasses import dataclass

from pitwall_runtime.ingest.subtitles import digest_of
from pitwall_runtime.media import Video


@dataclass(slots=True)
class SeenVideo:
    """The digest of what a question is about, its subtitles included; empty while a server is to give it, None while a
    file of ours is looked for."""

    digest: str | None

    async def add(self, video: Video) -> None:
        """It is here. What is said in it may be so much that its digest is made in a thread."""
        words = f"+{await asyncio.to_thread(digest_of, video.subtitles)}" if video.subtitles else ""
        self.digest = video.content_hash + words
