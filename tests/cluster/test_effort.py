"""What a block took is told in a unit of the same machine and moment."""

import gc
import json

from harness.effort import YARDSTICK, effort


def test_a_yardstick_is_one_and_many_are_many():
    with effort() as one:
        json.loads(YARDSTICK)
    with effort() as many:
        for _ in range(10):
            json.loads(YARDSTICK)
        assert not gc.isenabled()

    assert gc.isenabled()
    assert one.megabytes < 4 < many.megabytes < 40
