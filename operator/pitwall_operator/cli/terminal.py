"""Prints words of pods, servers and users so that they cannot control the terminal."""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from pitwall_crds.host.printable import printable_lines


class SafeConsole(Console):
    """rich's console, whose colours and cursor are its own; control characters inside of texts are shown, not sent."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of anything printable, each text of them harmless."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable_lines(segment.text), segment.style)
