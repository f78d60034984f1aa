"""`python -m benchmarks.canary_policies.queues.fit FILE.csv`: Azure's table comes in, the numbers of trace.py come out.

Excess covariances of the counts per second tell how the intensity varies: those of lags up to a quarter of a minute
the fast factor, those of one to five minutes the slow one.
"""

import csv
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
from benchmarks.canary_policies.queues.world.trace import Burstiness

FAST_LAGS = np.arange(1, 9)
SLOW_LAGS = np.arange(20, 300, 10)


def fit(times: np.ndarray) -> Burstiness:
    """From seconds since the first question."""
    numbers = np.bincount(times.astype(int))[:-1]
    mean = numbers.mean()

    def excess(lag: int) -> float:
        pair = numbers[: len(numbers) - lag] - mean, numbers[lag:] - mean
        return float(np.mean(pair[0] * pair[1])) / mean**2

    slow = np.array([excess(lag) for lag in SLOW_LAGS])
    fade, level = np.polyfit(SLOW_LAGS, np.log(np.maximum(slow, slow.max() / 20)), 1)
    slow_variance, slow_seconds = float(np.exp(level)), float(-1 / min(fade, -1e-4))
    whole = (numbers.var() - mean) / mean**2
    fast = np.array([excess(lag) for lag in FAST_LAGS]) - slow_variance
    kept = float(np.clip(fast[0] / max(whole - slow_variance, 1e-9), 1e-3, 0.999))
    falls = FAST_LAGS[fast < fast[0] / np.e]
    fast_seconds = float(falls[0]) if len(falls) and falls[0] > 1 else -1 / np.log(kept)
    return Burstiness(float((whole - slow_variance) / (1 + slow_variance)), fast_seconds, slow_variance, slow_seconds)


def main() -> int:
    """Prints the fit of a file with the column TIMESTAMP."""
    with Path(sys.argv[1]).open(newline="") as file:
        stamps = [datetime.fromisoformat(row["TIMESTAMP"][:26]).timestamp() for row in csv.DictReader(file)]
    times = np.array(stamps) - stamps[0]
    sys.stdout.write(f"{len(times)} questions in {times[-1]:.0f} s: {fit(times)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
