"""A thread that computes does not keep the event loop waiting, and what was loaded is not looked at again."""

import gc
import sys

import pytest

from pitwall_runtime.serve.turns import keep_loaded, share_interpreter


@pytest.fixture
def as_before():
    interval = sys.getswitchinterval()
    yield
    sys.setswitchinterval(interval)
    gc.unfreeze()


def test_whoever_computes_lets_others_go_on_before_anybody_notices(as_before):
    share_interpreter()
    assert sys.getswitchinterval() <= 0.001


def test_the_collector_passes_over_what_is_loaded(as_before):
    loaded = [[]]
    keep_loaded()
    assert gc.get_freeze_count() > 0
    assert not any(one is loaded for one in gc.get_objects())
