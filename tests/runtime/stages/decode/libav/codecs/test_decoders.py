"""A picture that a second decoder refuses is told."""

import av
import pytest
from av.error import FFmpegError
from films.making import encode
from films.pools import RANDOM_KINDS, pool, untold

pytestmark = pytest.mark.slow


def _shows(name, content):
    decoder = av.CodecContext.create(name, "r")
    try:
        return bool(decoder.decode(av.Packet(content)))
    except FFmpegError:
        return False


def test_a_picture_of_vp8_that_one_decoder_shows_and_the_other_refuses_is_told(tmp_path):
    path = tmp_path / "film.webm"
    encode(path, range(250), 25, *RANDOM_KINDS["vp8"][1])
    with av.open(str(path)) as film:
        first = next(film.demux(video=0))
    content, whole = path.read_bytes(), bytes(first)
    for at in range(10, len(whole)):
        broken = whole[:at] + bytes((whole[at] ^ 0xE1,)) + whole[at + 1 :]
        if _shows("vp8", broken) and not _shows("libvpx", broken):
            break
    else:
        pytest.fail("there is no such place")
    path.write_bytes(content[: first.pos + at] + broken[at : at + 1] + content[first.pos + at + 1 :])
    timeline, numbers = pool(path)

    assert untold(timeline, numbers) == []
    assert timeline.damage[0].start_seconds == 0
    assert timeline.damage[-1].end_seconds <= 2.1, "the next key picture ends it"
