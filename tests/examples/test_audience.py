"""How many users come depends on what the machine can take."""

import pytest
from examples.demo.audience import LEAST_TASKS_PER_SECOND, MOST_TASKS_PER_SECOND, rate_for


@pytest.mark.parametrize(
    ("seconds_per_answer", "rate"),
    [pytest.param(0.001, MOST_TASKS_PER_SECOND, id="fast"), pytest.param(0.02, 20.0, id="busy"),
     pytest.param(2.0, LEAST_TASKS_PER_SECOND, id="overloaded")],
)  # fmt: skip
def test_slow_machines_get_fewer_users(seconds_per_answer, rate):
    assert rate_for(seconds_per_answer) == pytest.approx(rate)
