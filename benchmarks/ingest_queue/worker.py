"""A worker that is killed: `python -m benchmarks.ingest_queue.worker KIND PLACE SECONDS` says each job that it takes.

It works so many seconds on each, then finishes it and takes the next, for ever.
"""

import sys
import time

from benchmarks.ingest_queue.queues import QueueBench


def main(kind: str, place: str, work_seconds: str) -> None:
    queue = QueueBench(kind, place).open()
    while True:
        if taken := queue.take(1):
            print(taken.job.id, flush=True)
            time.sleep(float(work_seconds))
            queue.done(taken)


if __name__ == "__main__":
    main(*sys.argv[1:])
