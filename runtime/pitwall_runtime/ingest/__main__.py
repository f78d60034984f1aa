"""Starts a worker of the ingest queue: `python -m pitwall_runtime.ingest work`; `status` shows the queue."""

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pitwall_crds.errors import PortError
from pitwall_crds.host import logs
from pitwall_crds.host.printable import printable
from pitwall_runtime.errors import RefusedError
from pitwall_runtime.ingest.queue.catalogue import open_book, open_queue
from pitwall_runtime.ingest.queue.port import IngestQueue
from pitwall_runtime.stages.decode.memory import DecodeMemory, add_decode_options
from pitwall_runtime.stores.options import add_cache_options, quota_of, shared_of

if TYPE_CHECKING:
    from pitwall_crds.variant.variant import SamplerVariant
    from pitwall_runtime.ingest.telemetry import IngestTelemetry
    from pitwall_runtime.ingest.worker import IngestWorker
    from pitwall_runtime.pipeline.pipeline import Pipeline
    from pitwall_runtime.stores.files.eviction import Quota


def ingest_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line, of the process if none is given."""
    parser = argparse.ArgumentParser(prog="python -m pitwall_runtime.ingest", description="The ingest queue.")
    commands = parser.add_subparsers(dest="command", required=True)
    work = commands.add_parser("work", help="prepare the videos of the queue until SIGTERM")
    status = commands.add_parser("status", help="how many videos wait, and the newest dead letters")
    for command in (work, status):
        command.add_argument("--cache-dir", type=Path, required=True, help="frames and embeddings, shared by all")
        command.add_argument("--queue-url", default=os.environ.get("PITWALL_INGEST_QUEUE_URL", ""), help=_QUEUE_HELP)
    status.add_argument("--letters", type=int, default=10, help="dead letters to show (default: %(default)s)")
    work.add_argument(
        "--book-url", default="", help="redis://… of the states; default: where the queue is, or a folder"
    )
    variants = work.add_mutually_exclusive_group(required=True)
    variants.add_argument("--variant", type=Path, action="append", default=[], metavar="FILE", help="repeatable")
    variants.add_argument(
        "--variants", type=Path, metavar="FOLDER", help="of a file per variant, looked at again before each video"
    )
    work.add_argument("--media-root", type=Path, action="append", default=[], help="folder that file:// may read")
    work.add_argument("--allow-host", action="append", default=[], help="host[:port] allowed although it is private")
    work.add_argument("--max-media-bytes", type=int, default=2 << 30)
    work.add_argument("--threads", type=int, default=1, help="threads per numeric library")
    work.add_argument("--nice", type=int, default=0, help="give way to others on this machine, 1 to 19")
    work.add_argument("--metrics-host", default="127.0.0.1")
    work.add_argument("--metrics-port", type=int, default=0, help="0 serves no metrics")
    work.add_argument("--until-empty", action="store_true", help="end when no video waits")
    add_cache_options(work)
    add_decode_options(work)
    work.add_argument(
        "--shots",
        choices=("pyscenedetect", "transnetv2"),
        default="pyscenedetect",
        help="what finds cuts in films that are new here (default: %(default)s; the other needs the extra transnetv2)",
    )
    return parser.parse_args(arguments)


_QUEUE_HELP = (
    "sqlite:///PATH, redis://HOST/0?stream=NAME, sqs://REGION/NAME, kafka://HOST:9092/TOPIC; "
    "default: $PITWALL_INGEST_QUEUE_URL, else a file in the cache"
)


def _status(arguments: argparse.Namespace) -> int:
    queue = open_queue(arguments.queue_url, arguments.cache_dir)
    depth = queue.depth()
    dead = [
        {"id": letter.job.id, "reason": letter.reason, "unread": letter.job.unread}
        for letter in queue.dead_letters(arguments.letters)
    ]
    print(json.dumps({"waiting": depth.waiting, "taken": depth.taken, "dead": depth.dead, "letters": dead}, indent=2))
    queue.close()
    return 0


def _work(arguments: argparse.Namespace) -> int:
    from pitwall_runtime.ingest.telemetry import IngestTelemetry

    os.nice(arguments.nice)
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", str(arguments.threads))
    os.environ.setdefault("TQDM_DISABLE", "1")
    logs.set_up({"httpx": logging.WARNING})
    queue = open_queue(arguments.queue_url, arguments.cache_dir)
    telemetry = IngestTelemetry(queue.depth)
    worker = _worker(arguments, queue, telemetry)
    if arguments.metrics_port:
        telemetry.serve(arguments.metrics_host, arguments.metrics_port)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=worker.stop, daemon=True).start())
    logging.getLogger(__name__).info("waits for videos to prepare")
    if arguments.until_empty:
        worker.run_until_empty()
    else:
        worker.run()
    queue.close()
    return 0


def _worker(arguments: argparse.Namespace, queue: IngestQueue, telemetry: "IngestTelemetry") -> "IngestWorker":
    from pitwall_runtime.ingest.fetch.download import DownloadLimits
    from pitwall_runtime.ingest.resolve import Resolver
    from pitwall_runtime.ingest.variants import FollowedVariants
    from pitwall_runtime.ingest.worker import IngestWorker

    quota = quota_of(arguments, arguments.cache_dir)
    limits = DownloadLimits(max_bytes=arguments.max_media_bytes, allowed_hosts=frozenset(arguments.allow_host))
    variants = FollowedVariants(_builder(arguments, quota), arguments.variant, arguments.variants)
    if arguments.variant:
        variants.check()  # one that does not load is known before the first video
    return IngestWorker(
        queue=queue,
        book=open_book(arguments.book_url, arguments.queue_url, arguments.cache_dir),
        resolver=Resolver(tuple(arguments.media_root), arguments.cache_dir / "downloads", limits, quota),
        variants=variants,
        told=telemetry.ended,
    )


def _builder(arguments: argparse.Namespace, quota: "Quota") -> "Callable[[SamplerVariant], Pipeline]":
    memory = DecodeMemory(arguments.decode_bytes)
    shared = shared_of(arguments)

    def build(variant: "SamplerVariant") -> "Pipeline":
        import torch

        from pitwall_runtime.pipeline.pipeline import preparing_pipeline
        from pitwall_runtime.pipeline.resources import PipelineResources

        torch.set_num_threads(arguments.threads)
        resources = PipelineResources(quota, arguments.hot_bytes, memory, shared, arguments.shots)
        return preparing_pipeline(variant, arguments.cache_dir, resources)

    return build


def main(arguments: Sequence[str] | None = None) -> int:
    """Work until SIGTERM, or show: 0; 2 with one line if it cannot begin."""
    chosen = ingest_options(arguments)
    try:
        return _status(chosen) if chosen.command == "status" else _work(chosen)
    except (RefusedError, PortError) as refusal:
        print(f"pitwall ingest: {printable(str(refusal))}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
