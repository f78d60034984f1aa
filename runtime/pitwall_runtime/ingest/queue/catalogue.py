"""Opens the ingest queue and the book of states at an address; the library of a broker is imported only then."""

from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pitwall_runtime.errors import QueueAddressError, install
from pitwall_runtime.ingest.fetch.origin import shown
from pitwall_runtime.ingest.queue.book import FolderBook, RedisBook, VideoBook
from pitwall_runtime.ingest.queue.local import LocalQueue
from pitwall_runtime.ingest.queue.port import IngestQueue

_STREAM = "pitwall-ingest"


def open_queue(address: str, cache_dir: Path) -> IngestQueue:
    """The queue at an address; empty is a file in the cache folder. Raises QueueAddressError.

    `sqlite:///PATH`, `redis://HOST/0?stream=NAME`, `sqs://REGION/NAME?endpoint=URL`, `kafka://HOST:9092/TOPIC?SETTING=…`.
    """
    parts = _parts(address)
    name, options = parts.path.strip("/"), dict(parse_qsl(parts.query))
    try:
        match parts.scheme:
            case "":
                return LocalQueue(cache_dir / "ingest.sqlite")
            case "sqlite" if name:
                return LocalQueue(Path(parts.path))
            case "redis" | "rediss":
                from pitwall_runtime.ingest.queue.redis_streams import RedisQueue

                return RedisQueue(parts._replace(query="").geturl(), options.get("stream", _STREAM))
            case "sqs":
                from pitwall_runtime.ingest.queue.sqs import SqsQueue

                return SqsQueue(name or _STREAM, region=parts.netloc, endpoint=options.get("endpoint", ""))
            case "kafka":
                from pitwall_runtime.ingest.queue.kafka import KafkaQueue

                return KafkaQueue(name or _STREAM, {**options, "bootstrap.servers": parts.netloc})
    except ModuleNotFoundError as error:
        raise QueueAddressError(f"a {parts.scheme} queue needs {error.name}; {install(_extra(parts))}") from None
    except Exception as error:  # of the libraries, about ports, regions and settings
        raise QueueAddressError(f"{shown(address)} cannot be used as a queue: {error}") from None
    raise QueueAddressError(f"{shown(address)} is no queue; use sqlite:///PATH, redis://, sqs:// or kafka://")


def open_book(address: str, queue_address: str, cache_dir: Path) -> VideoBook:
    """The book of states at an address; empty is Redis where the queue is there, else a folder of the cache."""
    parts = _parts(address or (queue_address if queue_address.startswith("redis") else ""))
    match parts.scheme:
        case "":
            return FolderBook(cache_dir / "videos")
        case "redis" | "rediss":
            try:
                return RedisBook(parts._replace(query="").geturl())
            except ModuleNotFoundError:
                raise QueueAddressError(f"a book in Redis needs redis; {install('redis')}") from None
            except ValueError as error:
                raise QueueAddressError(
                    f"{shown(address or queue_address)} cannot be used as a book: {error}"
                ) from None
    raise QueueAddressError(
        f"{shown(address)} is no book of states; use redis://, or nothing for a folder of the cache"
    )


def _extra(parts: SplitResult) -> str:
    return parts.scheme.removesuffix("s") if parts.scheme == "rediss" else parts.scheme


def _parts(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError:
        raise QueueAddressError(f"{shown(address)} is no address") from None
