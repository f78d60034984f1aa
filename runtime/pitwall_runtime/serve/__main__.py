"""Starts the server of one SamplerVariant: `python -m pitwall_runtime.serve`."""

import argparse
import gc
import logging
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from pitwall_crds.errors import PortError
from pitwall_crds.host import heap, logs
from pitwall_crds.host.sockets import listen
from pitwall_crds.names import Arm
from pitwall_runtime.stages.decode.memory import FILM_PART, DecodeMemory, add_decode_options
from pitwall_runtime.stores.options import add_cache_options, quota_of, shared_of

if TYPE_CHECKING:
    from pitwall_crds.variant.variant import SamplerVariant
    from pitwall_runtime.serve.app import ServingState
    from pitwall_runtime.stores.files.eviction import Quota


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pitwall_runtime.serve", description="Serve one SamplerVariant.")
    parser.add_argument("--variant", type=Path, required=True, metavar="FILE", help="SamplerVariant YAML")
    parser.add_argument("--arm", choices=list(Arm), default=Arm.STABLE, help="label of work that no request names")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0 picks a free one and prints it")
    parser.add_argument("--cache-dir", type=Path, required=True, help="frames and embeddings, shared by all variants")
    parser.add_argument("--media-root", type=Path, action="append", default=[], help="folder that file:// may read")
    parser.add_argument("--allow-host", action="append", default=[], help="host[:port] allowed although it is private")
    parser.add_argument("--max-media-bytes", type=int, default=2 << 30)
    parser.add_argument(
        "--queue-url", default="", help="of the ingest queue (docs/ingest.md); default: a file in the cache"
    )
    parser.add_argument("--book-url", default="", help="of the states of its videos; default: where the queue is")
    add_cache_options(parser)
    add_decode_options(parser)
    parser.add_argument(
        "--shots",
        choices=("pyscenedetect", "transnetv2"),
        default="pyscenedetect",
        help="what finds cuts in films that are new here (default: %(default)s; the other needs the extra transnetv2)",
    )
    parser.add_argument("--threads", type=int, default=1, help="threads per numeric library")
    parser.add_argument(
        "--workers",
        type=int,
        default=2,
        help="questions worked on at once, and as many whose video is new here",
    )
    parser.add_argument("--queue", type=int, default=32, help="questions of either kind that may wait; more get 503")
    parser.add_argument(
        "--deadline-seconds", type=float, default=600.0, help="the most that one answer may take, everything included"
    )
    parser.add_argument("--grace-seconds", type=int, default=10, help="how long running answers may take after SIGTERM")
    return parser.parse_args()


def _fail(message: str) -> int:
    """One line for a person, exit status 2."""
    print(f"pitwall-runtime: {message}", file=sys.stderr)
    return 2


def _read_variant(path: Path) -> "SamplerVariant":
    from pitwall_runtime.pipeline.variant_file import read_variant
    from pitwall_runtime.samplers import catalogue

    variant = read_variant(path)
    catalogue.build(variant.spec.sampler)
    return variant


def _load(engine: "ServingState", arguments: argparse.Namespace, quota: "Quota") -> None:
    """Load the models beside the running server; the process ends if they do not load."""
    try:
        import torch

        from pitwall_runtime.pipeline.pipeline import Pipeline
        from pitwall_runtime.pipeline.resources import PipelineResources

        torch.set_num_threads(arguments.threads)
        memory = DecodeMemory(arguments.decode_bytes, film_part=FILM_PART)
        resources = PipelineResources(quota, arguments.hot_bytes, memory, shared_of(arguments), arguments.shots)
        pipeline = Pipeline(engine.variant, arguments.cache_dir, engine.telemetry, resources)
        heap.settle()
        engine.pipeline = pipeline
    except Exception as error:
        logging.getLogger(__name__).debug("loading failed", exc_info=error)
        os._exit(_fail(f"variant {engine.variant.metadata.name!r} does not load: {error}"))
    logging.getLogger(__name__).info("%s is ready", engine.variant.metadata.name)


def _limit_threads(threads: int) -> None:
    """Before the libraries are imported that read it."""
    for library in ("OMP", "MKL"):  # torch
        os.environ.setdefault(f"{library}_NUM_THREADS", str(threads))
    # numpy: a sampler's products are so small that threads waiting for each other take ten times as long.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _state(arguments: argparse.Namespace, quota: "Quota") -> "ServingState":
    """What the application needs, without the models. Raises BadVariantError or QueueAddressError."""
    from pitwall_runtime.ingest.desk import IngestDesk
    from pitwall_runtime.ingest.fetch.download import DownloadLimits
    from pitwall_runtime.ingest.queue.catalogue import open_book, open_queue
    from pitwall_runtime.ingest.resolve import Resolver
    from pitwall_runtime.pipeline.telemetry import RuntimeTelemetry
    from pitwall_runtime.serve.app import ServingState
    from pitwall_runtime.serve.prepared import is_prepared
    from pitwall_runtime.serve.worker import Lanes, QueueLimits
    from pitwall_runtime.stores.files.eviction import EntryKind

    variant = _read_variant(arguments.variant)
    queue = open_queue(arguments.queue_url, arguments.cache_dir)
    book = open_book(arguments.book_url, arguments.queue_url, arguments.cache_dir)
    limits = DownloadLimits(max_bytes=arguments.max_media_bytes, allowed_hosts=frozenset(arguments.allow_host))
    state = ServingState(
        variant=variant,
        arm=arguments.arm,
        resolver=Resolver(tuple(arguments.media_root), arguments.cache_dir / "downloads", limits, quota),
        telemetry=RuntimeTelemetry(variant.metadata.name, arguments.arm),
        lanes=Lanes(QueueLimits(arguments.workers, arguments.queue)),
        deadline_seconds=arguments.deadline_seconds,
        desk=IngestDesk(queue, book),
    )
    if not arguments.shared_url:  # of what lies in object storage a look into this machine's cache tells nothing
        frames = arguments.cache_dir / EntryKind.FRAMES
        name = variant.metadata.name
        state.desk = IngestDesk(queue, book, is_there=lambda record: is_prepared(record, name, state.pipeline, frames))
    return state


def main() -> int:
    """Serve until SIGTERM, then let running answers finish; 2 if it could not begin."""
    gc.disable()  # until heap.settle()
    arguments = _arguments()
    _limit_threads(arguments.threads)
    os.environ.setdefault("TQDM_DISABLE", "1")
    logs.set_up({"httpx": logging.WARNING})
    try:
        listener = listen(arguments.host, arguments.port)
    except PortError as error:
        return _fail(str(error))

    from pitwall_crds.host.http.server import serve
    from pitwall_runtime.errors import RefusedError
    from pitwall_runtime.serve.app import build_app
    from pitwall_runtime.serve.interpreter import share_interpreter

    try:
        quota = quota_of(arguments, arguments.cache_dir)
        engine = _state(arguments, quota)
    except RefusedError as refusal:
        return _fail(refusal.message)
    threading.Thread(target=_load, args=(engine, arguments, quota), name="load", daemon=True).start()
    share_interpreter()
    host, port = listener.getsockname()[:2]
    logging.getLogger(__name__).info("%s listens on http://%s:%s", engine.variant.metadata.name, host, port)
    serve(build_app(engine), listener, grace_seconds=arguments.grace_seconds)
    engine.lanes.close()
    engine.waiting.close()
    logging.shutdown()
    os._exit(0)  # an answer that outlasts the grace time would hold the process until it is done


if __name__ == "__main__":
    sys.exit(main())
