"""What a worker shows of its queue, also while that does not answer."""

import threading
import time

from pitwall_runtime.errors import QueueAwayError
from pitwall_runtime.ingest.queue.port import QueueDepth
from pitwall_runtime.ingest.telemetry import IngestTelemetry

PATIENCE_SECONDS = 60.0


def samples(telemetry):
    return {
        (one.name, *one.labels.values()): one.value for family in telemetry.registry.collect() for one in family.samples
    }


def test_what_waits_is_shown_by_its_state():
    shown = samples(IngestTelemetry(lambda: QueueDepth(3, 1, 2)))
    queue = "pitwall_ingest_queue_videos"
    assert [shown[queue, state] for state in ("waiting", "taken", "dead")] == [3, 1, 2]


def test_a_queue_that_hangs_costs_the_other_series_no_time_and_is_asked_once():
    answers, asked = threading.Event(), []

    def depth():
        asked.append(1)
        answers.wait(PATIENCE_SECONDS)
        return QueueDepth(3, 1, 2)

    telemetry = IngestTelemetry(depth, patience_seconds=0.01)
    telemetry.ended("ready")
    begun = time.monotonic()
    first, second = samples(telemetry), samples(telemetry)
    assert time.monotonic() - begun < PATIENCE_SECONDS / 2
    assert first == second
    assert ("pitwall_ingest_jobs_total", "ready") in first
    assert not [name for name, *_ in first if "queue" in name]

    answers.set()
    while not [name for name, *_ in samples(telemetry) if "queue" in name]:
        assert time.monotonic() - begun < PATIENCE_SECONDS
    assert len(asked) == 1


def test_a_queue_that_is_away_has_no_sample_until_it_is_there():
    is_there = False

    def depth():
        if not is_there:
            raise QueueAwayError("away")
        return QueueDepth(3, 1, 2)

    telemetry = IngestTelemetry(depth, patience_seconds=PATIENCE_SECONDS)
    assert not [name for name, *_ in samples(telemetry) if "queue" in name]
    is_there = True
    assert [name for name, *_ in samples(telemetry) if "queue" in name]
