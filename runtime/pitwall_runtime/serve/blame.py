"""What gateways are told of a failure beside its words: about which video it was, and whether a server is at fault."""

from fastapi import Request

from pitwall_crds.names import Header
from pitwall_runtime.errors import OF_VIDEOS, HostUnknownError, RefusedError
from pitwall_runtime.serve.seen_video import SeenVideo


def code_of(request: Request, error: RefusedError) -> str:
    """The error's code. Only gateways are told of a host that nobody knows: else whoever asks could try which names
    there are inside."""
    is_unknown = isinstance(error, HostUnknownError) and _is_gateways(request)
    return HostUnknownError.code_for_gateways if is_unknown else error.code


def what_was_seen(request: Request, error: Exception) -> dict[str, object]:
    """What two variants said of different videos is not compared, nor what one said that had yet to prepare what the
    other had. Before a video is here its server is at fault, or we are: then nothing is told of it."""
    seen: SeenVideo | None = getattr(request.state, "seen", None)
    if seen is None or seen.digest is None or (not seen.digest and not isinstance(error, OF_VIDEOS)):
        return {}
    if isinstance(error, HostUnknownError) and not _is_gateways(request):
        return {}
    return {"pitwall": {"video": seen.digest, "preparing": request.state.deadline.preparing}}


def _is_gateways(request: Request) -> bool:
    return Header.ARM in request.headers
