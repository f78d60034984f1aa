"""Prepares the queue's videos one after the other: fetched, decoded, cut into shots, and embedded for every variant."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import (
    DecodingStoppedError,
    MediaAwayError,
    MediaBrokenError,
    MediaBusyError,
    MediaOriginError,
    MediaTooLargeError,
    NotAVideoError,
    QueueAwayError,
    RefusedError,
    StorageFullError,
    TooLateError,
    UnavailableError,
)
from pitwall_runtime.ingest.pauses import HostPauses
from pitwall_runtime.ingest.queue.book import VideoBook, VideoRecord, VideoState, change
from pitwall_runtime.ingest.queue.port import Delivery, IngestJob, IngestQueue
from pitwall_runtime.ingest.resolve import Resolver
from pitwall_runtime.ingest.variants import FollowedVariants
from pitwall_runtime.media import Video
from pitwall_runtime.pipeline.pipeline import Pipeline

log = logging.getLogger(__name__)

_PASSING = (MediaOriginError, StorageFullError, TooLateError, UnavailableError)
"""Refusals that another try may not meet."""

_LONGEST_DELAY_SECONDS = 1800.0
_LEFT_ALONE_SECONDS = 86_400.0
"""For so long after it was sent a video waits for a busy server and no attempt of it is used up."""

_TOLD_SECONDS = 60.0
_NO_JOB = "this message is no ingest job; videos are sent to POST /v1/videos"


@dataclass(frozen=True, slots=True)
class WorkLimits:
    """How long a video may take, how often it is tried, and how often the queue hears that work goes on."""

    video_seconds: float = 3600.0
    attempts: int = 5
    beat_seconds: float = 15.0
    wait_seconds: float = 5.0
    pause_seconds: float = 2.0
    retry_seconds: Sequence[float] = (10.0, 60.0, 300.0, 900.0)
    """After the first failure, the second, and so on: a server's bad half hour shall not use up all attempts."""

    def delay_seconds(self, attempts: int, asked_for: float) -> float:
        """When the next try may be: what the video's server asks for, if that is longer, up to half an hour."""
        own = self.retry_seconds[min(max(1, attempts), len(self.retry_seconds)) - 1]
        return min(max(own, asked_for), _LONGEST_DELAY_SECONDS)


@dataclass(slots=True)
class IngestWorker:
    """One worker. It takes nothing while there are no `variants`; `told` hears how each job ended: ready, failed or
    again."""

    queue: IngestQueue
    book: VideoBook
    resolver: Resolver
    variants: FollowedVariants
    limits: WorkLimits = field(default_factory=WorkLimits)
    told: Callable[[str], None] = lambda _: None
    pauses: HostPauses = field(default_factory=HostPauses)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _deadline: Deadline = field(default_factory=Deadline)

    def run(self) -> None:
        """Work until `stop`. A queue that is away is tried again; nothing ends the worker but being stopped."""
        while not self._stopping.is_set():
            try:
                self.step()
            except QueueAwayError as error:
                log.warning("%s", error.message)
                self._stopping.wait(self.limits.pause_seconds)

    def run_until_empty(self) -> None:
        """Work until `stop`, or until no video waits. Raises QueueAwayError."""
        while not self._stopping.is_set() and (self.step() or self._some_wait()):
            pass

    def _some_wait(self) -> bool:
        """Whether videos wait for their next attempt, or for another worker."""
        return self.variants.known() and self.queue.depth().waiting > 0

    def stop(self) -> None:
        """End soon: the job under way goes back to the queue, and what it has prepared is kept."""
        self._stopping.set()
        self._deadline.give_up()

    def step(self) -> bool:
        """Do one job; whether there was one. Raises QueueAwayError."""
        if not self.variants.known():
            self._stopping.wait(self.limits.wait_seconds)
            return False
        delivery = self.queue.take(self.limits.wait_seconds)
        if delivery is None:
            return False
        job = delivery.job
        if job.unread:
            self.queue.bury(delivery, _NO_JOB)
            self.told("failed")
            log.warning("a message of the ingest queue is buried as %s: %s", job.id, _NO_JOB)
            return True
        record = self.book.find(job.id) or VideoRecord(job.id, created_at=job.submitted_at, party=job.party)
        if self._is_done(record, job):
            self.queue.done(delivery)
            return True
        if record.attempts >= self.limits.attempts:
            # It ended every worker that tried it, or failed so often: the last error is known, if there was one.
            self._fail(
                delivery, record, record.error or "every worker that tried it ended", record.error_code or "crash"
            )
            return True
        if self._is_left_alone(delivery, record):
            return True
        # Counted before anything is tried: a video that kills its worker must not do so for ever.
        record = change(self.book, record, state=VideoState.FETCHING, attempts=record.attempts + 1)
        self._deadline = Deadline(self.limits.video_seconds)
        if self._stopping.is_set():
            self._deadline.give_up()
        with self._beating(delivery):
            self._work(delivery, record)
        return True

    def _is_left_alone(self, delivery: Delivery, record: VideoRecord) -> bool:
        """Whether its server asked for a pause when it was asked for another video: then no attempt is used up. A
        server that lets a few be fetched each minute would else use up those of a batch."""
        job = delivery.job
        seconds = self.pauses.left(job.party, job.url)
        if not seconds or time.time() - job.submitted_at > _LEFT_ALONE_SECONDS:
            return False
        words = f"its server is too busy with others of these videos; this one is tried after {seconds:.0f} s"
        change(self.book, record, state=VideoState.QUEUED, error=words, error_code=MediaBusyError.code)
        self.queue.again(delivery, seconds)
        return True

    def _is_done(self, record: VideoRecord, job: IngestJob) -> bool:
        """Whether a worker ended, or the queue delivers a job twice, after all was written down."""
        is_later = record.updated_at >= job.submitted_at or record.attempts >= self.limits.attempts
        return record.state is VideoState.READY and is_later

    def _work(self, delivery: Delivery, record: VideoRecord) -> None:
        try:
            record = self._prepared(delivery, record)
        except _PASSING as error:
            pause = error.pause_seconds if isinstance(error, MediaAwayError) else 0.0
            if isinstance(error, MediaBusyError):
                # No longer than it asks for: this may be of this one video, whose own next attempt may be far off.
                self.pauses.note(delivery.job.party, delivery.job.url, self.limits.delay_seconds(1, pause))
            self._retry(delivery, record, error.message, error.code, pause)
        except DecodingStoppedError as error:
            # A second time it is the video, which shall not end more of them.
            end = self._retry if record.attempts == 1 else self._fail
            end(delivery, record, error.message, error.code)
        except RefusedError as error:
            self._fail(delivery, record, error.message, error.code)
        except Exception:
            log.exception("preparing %s failed", record.id)
            self._retry(delivery, record, "the worker failed on this video; see its log", "internal_error")
        else:
            change(self.book, record, state=VideoState.READY, error="", error_code="")
            self.queue.done(delivery)
            self.told("ready")
            log.info("%s is ready: %.0f s of video for %s", record.id, record.seconds, ", ".join(record.variants))

    def _prepared(self, delivery: Delivery, record: VideoRecord) -> VideoRecord:
        # Nobody waits, and a film that was changed and sent again must not be called ready as it was.
        video = self.resolver.resolve(delivery.job.url, self._deadline, delivery.job.party, certain=True)
        with self.resolver.keeping(video) as kept:
            if not kept:
                raise StorageFullError("the video is evicted as soon as it is fetched; have the cache enlarged")
            pipelines = self.variants.pipelines()
            if not pipelines:
                raise UnavailableError("there is no variant that videos can be prepared for; see the worker's log")
            content, nothing = video.content_hash, dict.fromkeys((name for name, _ in pipelines), 0.0)
            record = change(self.book, record, state=VideoState.DECODING, content_hash=content, variants=nothing)
            try:
                for name, pipeline in pipelines:
                    record = self._embedded(pipeline, name, video, record)
            except (NotAVideoError, MediaBrokenError, MediaTooLargeError):
                self.resolver.reject(video)
                raise
        return record

    def _embedded(self, pipeline: Pipeline, name: str, video: Video, record: VideoRecord) -> VideoRecord:
        for seconds, share in pipeline.prepare(video, self._deadline, self._progress(record)):
            variants = {**record.variants, name: round(share, 3)}
            record = change(self.book, record, state=VideoState.ENCODING, seconds=seconds, variants=variants)
        return record

    def _progress(self, record: VideoRecord) -> Callable[[float], None]:
        """Writes into the book how far the video is decoded, once for each minute of it."""
        written = 0.0

        def write(seconds: float) -> None:
            nonlocal written
            if seconds >= written + _TOLD_SECONDS:
                written = seconds
                with suppress(QueueAwayError):  # a book that is away costs no work that is done
                    change(self.book, record, seconds=seconds)

        return write

    def _retry(self, delivery: Delivery, record: VideoRecord, words: str, code: str, pause: float = 0.0) -> None:
        if self._stopping.is_set():
            change(self.book, record, state=VideoState.QUEUED, attempts=record.attempts - 1)
            self.queue.again(delivery)
        elif record.attempts >= self.limits.attempts:
            self._fail(delivery, record, words, code)
        else:
            change(self.book, record, state=VideoState.QUEUED, error=words, error_code=code)
            self.queue.again(delivery, self.limits.delay_seconds(record.attempts, pause))
            self.told("again")

    def _fail(self, delivery: Delivery, record: VideoRecord, words: str, code: str) -> None:
        change(self.book, record, state=VideoState.FAILED, error=words, error_code=code)
        self.queue.bury(delivery, words)
        self.told("failed")
        log.info("%s cannot be prepared after %d attempts: %s", record.id, record.attempts, words)

    @contextmanager
    def _beating(self, delivery: Delivery) -> Iterator[None]:
        """Tell the queue every few seconds that work goes on, so that it gives the job to nobody else."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(self.limits.beat_seconds):
                try:
                    self.queue.extend(delivery)
                except QueueAwayError as error:
                    log.warning("%s", error.message)
                except Exception:  # whatever it is, the next beat may be heard, and without one another worker begins
                    log.exception("the queue could not be told that work on %s goes on", delivery.job.id)

        beating = threading.Thread(target=beat, name="beat", daemon=True)
        beating.start()
        try:
            yield
        finally:
            over.set()
            beating.join()
