"""VP8 by libvpx alone: the pictures that FFmpeg shows, and a word of those whose data end too early."""

import av
import numpy as np
import pytest
from av.error import FFmpegError, InvalidDataError
from films.making import encode
from films.numbered import read
from films.pools import RANDOM_KINDS, pool, untold

from pitwall_runtime.media import Frame, PoolSpec
from pitwall_runtime.stages.decode.libav.codecs.decoders import Witness, same_planes
from pitwall_runtime.stages.decode.libav.codecs.vpx import LibVpx, loaded
from pitwall_runtime.stages.decode.libav.files.opening import opened
from pitwall_runtime.stages.decode.libav.pyav import PyAv

pytestmark = [pytest.mark.slow, pytest.mark.skipif(loaded() is None, reason="PyAV has no libvpx that can be asked")]


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("vp8") / "film.webm"
    encode(path, range(150), 25, *RANDOM_KINDS["vp8"][1])
    return path


def packets(path):
    with av.open(str(path)) as container:
        return [packet for packet in container.demux(video=0) if packet.size]


def hidden(packet):
    """The same picture, which is not shown, but others are made of it."""
    content = bytes(packet)
    made = av.Packet(bytes((content[0] & ~0x10,)) + content[1:])  # RFC 6386, 9.1
    made.pts, made.dts = packet.pts, packet.dts
    return made


def decoded(decoder, given):
    return {frame.pts: frame for packet in given for frame in decoder.decode(packet)}


def test_its_pictures_are_ffmpegs(film):
    given = [hidden(packet) if number == 30 else packet for number, packet in enumerate(packets(film))]
    with opened(str(film)) as source:
        assert isinstance(source.decoder, LibVpx)
        ours = decoded(source.decoder, given)
    theirs = decoded(av.CodecContext.create("vp8", "r"), given)

    assert len(theirs) == 149
    assert ours.keys() == theirs.keys()
    assert all(same_planes(ours[at], theirs[at]) for at in theirs)


def with_a_short_picture(film):
    """The film's packets, and the number of one that has lost the second half of what stands behind its header."""
    whole = packets(film)
    for number, packet in enumerate(whole):
        content = bytes(packet)
        header = 3 + (int.from_bytes(content[:3], "little") >> 5)  # RFC 6386, 9.1
        if number > 60 and content[0] & 1 and len(content) - header > 100:
            whole[number] = av.Packet(content[: (header + len(content)) // 2])
            whole[number].pts, whole[number].dts = packet.pts, packet.dts
            return whole, number
    raise AssertionError("there is no such picture")


def test_a_picture_whose_data_end_too_early_is_told_and_so_are_those_that_are_made_of_it(film):
    whole, at = with_a_short_picture(film)
    silent = av.CodecContext.create("libvpx", "r")
    with opened(str(film)) as source:
        decoder, told = source.decoder, []
        for packet in whole:
            silent.decode(packet)
            told += [frame.pts for frame in decoder.decode(packet) if decoder.ended_early(frame)]

    keys = [packet.pts for packet in whole if packet.is_keyframe]
    assert told[0] == whole[at].pts
    assert told[-1] < min(key for key in keys if key > told[0])


def test_a_film_with_a_picture_whose_data_end_too_early_tells_it(film, tmp_path):
    packet = packets(film)[60]
    content, damaged = film.read_bytes(), tmp_path / "damaged.webm"
    middle, end = packet.pos + packet.size // 2, packet.pos + packet.size
    damaged.write_bytes(content[:middle] + bytes(end - middle) + content[end:])

    timeline, numbers = pool(damaged)

    assert untold(timeline, numbers) == []
    assert 2 <= timeline.damage[0].start_seconds <= timeline.damage[-1].end_seconds <= 4.1


def test_where_libvpx_cannot_be_asked_two_decoders_tell(film):
    whole, at = with_a_short_picture(film)
    with opened(str(film)) as source:
        own = source.stream.codec_context
        own.thread_count = 1
        witness, told = Witness(source.stream, own), []
        for packet in whole:
            witness.look_at(packet)
            told += [frame.pts for frame in own.decode(packet) if witness.contradicts(frame)]

    assert told[0] == whole[at].pts


def test_a_film_that_is_to_be_turned_is_turned(film, tmp_path):
    turned = tmp_path / "turned.mkv"
    with av.open(str(film)) as source, av.open(str(turned), "w") as made:
        stream = made.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(90)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                made.mux(packet)

    frames = [one for one in PyAv().read(str(turned), PoolSpec()) if isinstance(one, Frame)]

    assert len(frames) == 6
    assert all(image.shape[0] > image.shape[1] for image in (frame.image for frame in frames))
    seen = [read(np.ascontiguousarray(np.rot90(frame.image, -1))) for frame in frames]
    assert [abs(one.number - 25 * second) <= 2 for second, one in enumerate(seen)] == [True] * 6


def test_a_key_picture_that_claims_to_be_larger_than_any_may_be_is_refused(film):
    first = bytearray(bytes(packets(film)[0]))
    first[6:10] = b"\xff\x3f\xff\x3f"
    with opened(str(film)) as source:
        with pytest.raises(InvalidDataError, match="16383×16383"):
            source.decoder.decode(av.Packet(bytes(first)))
        with pytest.raises(FFmpegError):
            source.decoder.decode(av.Packet(b"\x00"))
