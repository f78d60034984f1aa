"""What every process of a runtime does with the cache that its options name."""

import time
from argparse import Namespace
from types import SimpleNamespace

from pitwall_runtime.stores import options

PATIENCE_SECONDS = 60.0


def test_a_cache_is_swept_again_after_a_sweep_that_broke(tmp_path, monkeypatch, caplog):
    """Else its disk is full some day, and nobody knows why."""
    swept = []

    def breaks_once():
        swept.append(1)
        if len(swept) == 1:
            raise KeyError("nobody thought of it")

    monkeypatch.setattr(options, "_SWEEP_SECONDS", 0.01)
    monkeypatch.setattr(options, "Quota", lambda *_: SimpleNamespace(root=tmp_path, sweep=breaks_once))
    options.quota_of(Namespace(cache_bytes=1 << 20, cache_days=1), tmp_path)

    latest = time.monotonic() + PATIENCE_SECONDS
    while len(swept) < 2:
        assert time.monotonic() < latest, "it was swept no more"
        time.sleep(0.01)
    monkeypatch.setattr(options, "_SWEEP_SECONDS", 3600.0)
    assert "could not be swept" in caplog.text
    assert "nobody thought of it" in caplog.text
