"""Films in files, what errors about them say, and subtitles beside a film or named by a question."""

import pytest

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import BadSubtitlesError, MediaMissingError, MediaRefusedError, RefusedError
from pitwall_runtime.ingest.fetch.download import DownloadLimits
from pitwall_runtime.ingest.files import resolve_file
from pitwall_runtime.ingest.resolve import Resolver
from pitwall_runtime.media import Caption

SAID = (Caption(1.0, 2.0, "Good morning."),)
SRT = b"1\n00:00:01,000 --> 00:00:02,000\nGood morning.\n"


@pytest.mark.parametrize("name", ["film.srt", "film.vtt"])
def test_subtitles_that_lie_beside_a_film_come_with_it(tmp_path, name):
    (tmp_path / "film.mp4").write_bytes(b"a film")
    (tmp_path / name).write_bytes(
        SRT if name.endswith("srt") else b"WEBVTT\n\n00:01.000 --> 00:02.000\nGood morning.\n"
    )

    assert resolve_file(f"file://{tmp_path}/film.mp4", (tmp_path,), 1 << 20).subtitles == SAID


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda file, other: file.symlink_to(other), id="a link that leads out of the roots"),
        pytest.param(lambda file, other: file.write_bytes(b"prose"), id="a file that is none"),
        pytest.param(lambda file, other: file.write_bytes(SRT + b"\n" * (4 << 20)), id="one that is too large"),
        pytest.param(lambda file, other: file.mkdir(), id="a folder"),
        pytest.param(lambda file, other: file.symlink_to(file), id="a link to itself"),
    ],
)
def test_what_lies_beside_a_film_and_may_or_can_not_be_read_is_as_if_it_were_not_there(tmp_path, spoil):
    root = tmp_path / "root"
    root.mkdir()
    (root / "film.mp4").write_bytes(b"a film")
    (tmp_path / "other.srt").write_bytes(SRT)
    spoil(root / "film.srt", tmp_path / "other.srt")

    assert resolve_file(f"file://{root}/film.mp4", (root,), 1 << 20).subtitles is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.mp4", "no video at 'file://{link}/none.mp4?…'; check the name"),
        ("folder", "'file://{link}/folder?…' is not a regular file; give the address of a video file"),
        ("circle.mp4", "check the name"),
    ],
)
def test_an_error_names_what_was_asked_for_and_not_where_its_links_lead(tmp_path, name, words):
    root, link = tmp_path / "mounted-here", tmp_path / "films"
    (root / "folder").mkdir(parents=True)
    (root / "circle.mp4").symlink_to(root / "circle.mp4")
    link.symlink_to(root)

    with pytest.raises(RefusedError) as refused:
        resolve_file(f"file://{link}/{name}?signed", (link,), 1 << 20)

    assert words.format(link=link) in refused.value.message
    assert "mounted-here" not in refused.value.message


def test_this_machine_may_be_named_in_any_case_and_another_is_told_without_its_password(tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"a film")
    assert resolve_file(f"FILE://LocalHost{tmp_path}/film.mp4", (tmp_path,), 1 << 20).path.name == "film.mp4"

    with pytest.raises(MediaRefusedError, match="names the host 'nas'") as refused:
        resolve_file(f"file://ann:secret@nas{tmp_path}/film.mp4", (tmp_path,), 1 << 20)
    assert "secret" not in refused.value.message


async def test_subtitles_that_a_question_names_are_fetched_as_a_video_is(tmp_path, wild):
    (tmp_path / "said.srt").write_bytes(SRT)
    resolver = Resolver((tmp_path,), tmp_path / "downloads", DownloadLimits(allowed_hosts=frozenset({wild.host})))
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-subrip\r\nContent-Length: %d\r\n\r\n%b" % (len(SRT), SRT)

    assert await resolver.subtitles(f"file://{tmp_path}/said.srt", Deadline()) == SAID
    assert await resolver.subtitles(wild.url("/said.srt", head), Deadline()) == SAID


@pytest.mark.parametrize(
    ("url", "kind", "words"),
    [
        ("file:///etc/hostname", MediaRefusedError, "outside the media roots"),
        ("file://{root}/none.srt", MediaMissingError, r"no video at '[^']*'; check the name$"),
        ("file://{root}/prose.txt", BadSubtitlesError, r"no SubRip, WebVTT or ASS file; send them as \.srt or \.vtt"),
        ("file://{root}/long.srt", BadSubtitlesError, "4194305 bytes; the limit is 4194304"),
        ("ftp://host/said.srt", MediaRefusedError, "scheme 'ftp'"),
        ("http://127.0.0.1:1/said.srt", MediaRefusedError, r"host '127\.0\.0\.1' has no public address here"),
        ("http://none.invalid/said.srt", MediaRefusedError, r"host 'none\.invalid' has no public address here"),
    ],
)
async def test_named_subtitles_that_cannot_be_had_are_refused_by_the_fields_name(tmp_path, url, kind, words):
    (tmp_path / "prose.txt").write_bytes(b"Dear reader")
    (tmp_path / "long.srt").write_bytes(b"1" * ((4 << 20) + 1))

    with pytest.raises(kind, match=f"^video_url.subtitles_url: .*{words}"):
        await Resolver((tmp_path,), tmp_path / "downloads").subtitles(url.format(root=tmp_path), Deadline())
