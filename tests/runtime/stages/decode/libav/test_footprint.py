"""What a film will need is known from its header: enough, and no more than there is."""

import threading

import psutil
import pytest
from films.making import H264, ffmpeg, film, join

from pitwall_runtime.media import PoolSpec
from pitwall_runtime.stages.decode.libav.footprint import PROCESS_BYTES, footprint, need_of
from pitwall_runtime.stages.decode.memory import DecodeMemory
from pitwall_runtime.stages.decode.port import THREADS, Limits
from pitwall_runtime.stages.decode.process import OPENING_BYTES, decode

HD, UHD, FULL_8K = 1280 * 720, 3840 * 2160, 7680 * 4320


def test_pictures_threads_and_bits_all_count():
    assert footprint(0, 12, 8) == PROCESS_BYTES
    assert footprint(HD, 12, 1) < footprint(HD, 12, 2) < footprint(UHD, 12, 2) < footprint(UHD, 30, 2)


def test_most_videos_need_no_more_than_opening_them():
    assert footprint(HD, 12, 8) < OPENING_BYTES


def test_a_large_film_gets_as_many_threads_as_there_is_room_for(tmp_path):
    path = tmp_path / "large.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=s=7680x4320:d=0.04:r=25", "-c:v", "libx264", "-preset", "ultrafast", path)
    assert need_of(str(path), 8 << 30).threads == THREADS
    least = footprint(FULL_8K, 12, 1)
    assert (need_of(str(path), least).bytes, need_of(str(path), least).threads) == (least, 1)
    assert need_of(str(path), least // 2).bytes == least  # half of it has to do, if it can


@pytest.mark.slow
@pytest.mark.soak
def test_a_film_that_grows_beyond_its_header_is_begun_again_and_no_frame_comes_twice(tmp_path):
    path, started, frames = tmp_path / "grows.ts", set(), []
    large = ("-f", "lavfi", "-i", "color=gray:s=7680x4320:d=3:r=4", *H264, "-refs", 4, "-output_ts_offset", 3)
    join(path, film(12, 4), lambda part: ffmpeg(*large, part))
    assert need_of(str(path), 3 << 30).bytes < OPENING_BYTES
    ended = threading.Event()

    def watch():
        while not ended.wait(0.02):
            started.update(child.pid for child in psutil.Process().children())

    watching = threading.Thread(target=watch)
    watching.start()
    timeline = decode(path, PoolSpec(), frames.append, limits=Limits(3600), memory=DecodeMemory(2 << 30))
    ended.set()
    watching.join()

    assert len(started) == 2
    assert [frame.pts * timeline.time_base for frame in frames] == list(range(6))
    assert timeline.damage == ()
