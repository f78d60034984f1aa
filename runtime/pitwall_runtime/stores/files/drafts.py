"""What is made before it is visible: folders that stand wholly or not at all, pools whose frames are still coming."""

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pitwall_runtime.media import Frame, FramePool, PoolSpec, Shot, Timeline, Video


@contextmanager
def drafted(folder: Path) -> Iterator[Path]:
    """A temporary folder to fill, renamed into place at the end; if another process was first, its folder stands.

    Raises what the filling raises, or OSError where neither folder can stand; nothing is left behind then.
    """
    draft = _draft_beside(folder)
    try:
        yield draft
        _put(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _put(draft: Path, folder: Path) -> None:
    while True:  # an eviction may remove what stood in the way before it is looked at
        try:
            draft.rename(folder)
        except OSError as error:
            if folder.is_dir():
                return
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return


def _draft_beside(folder: Path) -> Path:
    while True:  # an eviction may remove the parent, which is empty, after it was made or while it is looked at
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(prefix=".draft-", dir=folder.parent))
        except FileNotFoundError:
            continue
        except FileExistsError:
            if folder.parent.is_file():
                raise


@dataclass(slots=True)
class PoolDraft:
    """What is known of a pool so far, without its pictures."""

    video: Video
    spec: PoolSpec
    pts: list[int] = field(default_factory=list)
    key_frames: list[int] = field(default_factory=list)

    def note(self, frame: Frame) -> None:
        """The next frame."""
        if frame.key:
            self.key_frames.append(len(self.pts))
        self.pts.append(frame.pts)

    def pool(self, timeline: Timeline, shots: tuple[Shot, ...]) -> FramePool:
        """The whole pool."""
        return FramePool(
            video_hash=self.video.content_hash,
            spec=self.spec,
            time_base=timeline.time_base,
            pts=tuple(self.pts),
            end_pts=timeline.end_pts,
            shots=shots,
            damage=timeline.damage,
            key_frames=tuple(self.key_frames),
            subtitles=timeline.subtitles,
        )
