"""All reasons why a question cannot be answered, with HTTP status, code and a message for the caller."""

from http import HTTPStatus
from typing import Final


def install(extras: str) -> str:
    """The remedy for a package that is missing, as words of a message."""
    return f"pip install '.[{extras}]' in your checkout of Pitwall brings it"


class RefusedError(Exception):
    """A question that cannot be answered. The message holds the value, the limit and the remedy."""

    status = HTTPStatus.BAD_REQUEST
    code = "invalid_request"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadQuestionError(RefusedError):
    """The request itself is wrong."""

    code = "bad_question"


class MediaRefusedError(RefusedError):
    """The video's address may not be read: outside the media roots, a private network, an unknown scheme."""

    code = "media_refused"


class HostUnknownError(MediaRefusedError):
    """No name server knows the host, or none answers; told in the words of a host that may not be asked.

    Gateways are told another code, which they tell nobody: that is no refusal of this variant's own.
    """

    code_for_gateways = "host_unknown"


class RedirectsError(MediaRefusedError):
    """A server sends its caller on and on."""


class MediaMissingError(RefusedError):
    """There is nothing at the video's address."""

    status = HTTPStatus.NOT_FOUND
    code = "media_missing"


class MediaTooLargeError(RefusedError):
    """The video is larger or longer than the limits."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "media_too_large"


class NotAVideoError(RefusedError):
    """The bytes are not a video that can be decoded."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "not_a_video"


class BadSubtitlesError(RefusedError):
    """The file of subtitles that a question names holds none that can be read."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "bad_subtitles"


class MediaBrokenError(RefusedError):
    """The video begins well and then ends early, or cannot be decoded in time."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "media_broken"


class DecodingStoppedError(MediaBrokenError):
    """The decoding process ended in the midst of its work: the video crashes it, or the system had no memory left."""


class MediaOriginError(RefusedError):
    """The server that holds the video does not give it: it wants a login, fails, is too busy, or stalls.

    A client error on purpose: the video's server is the asker's choice and must not count against the variant.
    """

    status = HTTPStatus.FAILED_DEPENDENCY
    code = "media_origin"


class MediaAwayError(MediaOriginError):
    """The video's server does not answer for now: it fails, is too busy, stalls, or cannot be reached.

    `pause_seconds` is how long it asks to be left alone; 0 where it says nothing.
    """

    def __init__(self, message: str, pause_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.pause_seconds = pause_seconds


class MediaBusyError(MediaAwayError):
    """The video's server has too many requests: others of the same asker would be refused, too."""


class MediaClosedError(MediaOriginError):
    """The video's server wants to know who asks: it is not to be read any more."""


class StorageFullError(RefusedError):
    """The cache's disk is full, and nothing on it may be evicted."""

    status = HTTPStatus.INSUFFICIENT_STORAGE
    code = "storage_full"


class EncoderFailedError(RefusedError):
    """The encoder gave what are no numbers. The variant's fault; nothing of it is stored."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "encoder_failed"


class TooLateError(RefusedError):
    """The question's deadline has passed, or its asker has left."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    code = "deadline_exceeded"


class UnavailableError(RefusedError):
    """Not now: the queue is full, another process still prepares the video, or the language model does not answer."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"


class SamplerFailedError(RefusedError):
    """The sampler did not choose as it must: it raised, hung, or broke the contract. The variant's fault."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "sampler_failed"


class SamplerHangsError(SamplerFailedError):
    """The sampler had not chosen when its time was long over."""


class WrongSelectionError(SamplerFailedError):
    """What the sampler chose is not min(budget, N) frames of the pool, sorted and unique, or cannot be written down."""


class AllowanceSpentError(SamplerFailedError):
    """A sampler asks for more than its allowance; one that catches this goes on with its best so far."""


class NoModelError(SamplerFailedError):
    """A sampler asks a model where the variant has none; one that catches this goes on without."""


class QueueFullError(UnavailableError):
    """The ingest queue holds as many jobs as it may."""

    code = "queue_full"


class QueueAwayError(UnavailableError):
    """The server of the ingest queue does not answer."""

    code = "queue_unavailable"


class QueueAddressError(BadQuestionError):
    """The address of an ingest queue cannot be understood, or the library for it is not installed."""


class BadVariantError(RefusedError):
    """The SamplerVariant cannot be served: an unknown sampler, a parameter out of bounds, weights that do not load."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "bad_variant"


class UnsupportedVideoError(RefusedError):
    """A decoder cannot show this video rightly; another one can, and takes over."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_video"


class OutgrownError(RefusedError):
    """A decoding took more memory than its share; it is begun again with more."""

    code = "outgrown"


OF_VIDEOS: Final = (
    BadSubtitlesError,
    HostUnknownError,
    MediaBrokenError,
    MediaMissingError,
    MediaOriginError,
    MediaTooLargeError,
    NotAVideoError,
    TooLateError,
)
"""What may be the fault of a video, or of its server, while it is fetched."""
