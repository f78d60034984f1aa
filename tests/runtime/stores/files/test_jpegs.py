"""What is no picture that can be kept is told in words, as the video's fault."""

import numpy as np
import pytest

from pitwall_runtime.errors import MediaBrokenError
from pitwall_runtime.media import Frame
from pitwall_runtime.stores.files.jpegs import encoded


@pytest.mark.parametrize("shape", [pytest.param((2, 65_536, 3), id="too wide"), pytest.param((0, 8, 3), id="empty")])
def test_a_picture_that_the_encoder_refuses_is_a_broken_video(shape):
    high, wide, _ = shape
    with pytest.raises(MediaBrokenError, match=rf"a picture of {wide}×{high} pixels cannot be kept as JPEG"):
        encoded(Frame(0, np.zeros(shape, np.uint8)))
