"""A thread that computes does not keep the event loop waiting."""

import sys

import pytest

from pitwall_runtime.serve.interpreter import share_interpreter


@pytest.fixture
def as_before():
    interval = sys.getswitchinterval()
    yield
    sys.setswitchinterval(interval)


def test_whoever_computes_lets_others_go_on_before_anybody_notices(as_before):
    share_interpreter()
    assert sys.getswitchinterval() <= 0.001
