"""A chain of libavfilter filters for pictures of one kind, with one way in and one way out."""

from collections.abc import Sequence

from av.error import BlockingIOError as NothingYetError
from av.error import EOFError as FilterEndError
from av.filter import Graph
from av.video.frame import VideoFrame


class FilterChain:
    """Filters in order, each a name and its arguments. All pictures must be like the first one."""

    def __init__(self, like: VideoFrame, filters: Sequence[tuple[str, str]]) -> None:
        self._graph = Graph()  # kept: filters do not keep their graph alive
        self._graph.threads = 1
        picture = f"video_size={like.width}x{like.height}:pix_fmt={like.format.name}:time_base=1/1000"
        colours = f"colorspace={like.colorspace}:range={like.color_range}"
        self._source = last = self._graph.add("buffer", f"{picture}:{colours}")
        for name, arguments in [*filters, ("buffersink", "")]:
            following = self._graph.add(name, arguments)
            last.link_to(following)
            last = following
        self._sink = last
        self._graph.configure()

    def push(self, frame: VideoFrame | None) -> None:
        """Give it a picture, or None when there are no more."""
        self._source.push(frame)

    def pull(self) -> VideoFrame | None:
        """The next picture; None if it needs more, or has ended."""
        try:
            made = self._sink.pull()
        except (NothingYetError, FilterEndError):
            return None
        assert isinstance(made, VideoFrame)
        return made
