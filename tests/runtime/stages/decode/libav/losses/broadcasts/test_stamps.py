"""A broadcast's last picture is held without sound, unless its time looks damaged."""

from itertools import pairwise

import pytest
from films.making import encode, ffmpeg
from films.pools import pool, untold

pytestmark = pytest.mark.slow
AVC = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", 3)
STANDS = [*(n / 25 for n in range(59)), 20]
SLIDES = [0, 4, 7, 12.52, 14.52, 20.52]


@pytest.mark.parametrize("suffix", ["ts", "m2ts"])
@pytest.mark.parametrize(
    "times", [pytest.param(STANDS, id="a screen that stands at last"), pytest.param(SLIDES, id="slides")]
)
def test_a_silent_films_last_picture_is_shown_when_it_says(tmp_path, suffix, times):
    written, path = tmp_path / "film.ts", tmp_path / f"copy.{suffix}"
    steps = "+".join(f"gte(N,{n})*{end - begin}" for n, (begin, end) in enumerate(pairwise(times), 1))
    encode(written, range(len(times)), 25, "-vf", f"setpts='({steps})/TB'", "-vsync", "vfr", *AVC, size=(160, 90))
    ffmpeg("-i", written, "-c", "copy", path)
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert numbers == {second: sum(begin <= second for begin in times) - 1 for second in range(21)}


@pytest.mark.parametrize("wrong", [b"\x31\x24\x86\x6a\x02", b"\x01\x01\xa5\x6b\xc1"])
def test_a_time_without_its_marks_is_told(tmp_path, wrong):
    path = tmp_path / "film.ts"
    encode(path, range(60), 25, *AVC, size=(160, 90))
    content = bytearray(path.read_bytes())
    head = next(at for at in _heads(content) if content[at + 7] >> 6 == 3)
    content[head + 9 : head + 14] = wrong
    path.write_bytes(content)
    timeline, numbers = pool(path)

    assert untold(timeline, numbers) == []
    assert timeline.damage != ()


def _heads(content: bytearray) -> list[int]:
    """Where pictures begin, the latest first."""
    found, at = [], len(content)
    while (at := content.rfind(b"\0\0\1\xe0", 0, at)) >= 0:
        found.append(at)
    return found
