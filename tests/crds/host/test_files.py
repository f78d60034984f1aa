"""Files that are whole at every moment."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from pitwall_crds.errors import UnreadableFileError
from pitwall_crds.host import files


@pytest.fixture
def path(tmp_path):
    return tmp_path / "made" / "state.json"


def test_what_was_written_is_read_and_the_folder_is_made(path):
    files.write_json(path, {"a": [1]})

    assert files.read_json(path, None) == {"a": [1]}
    assert [entry.name for entry in path.parent.iterdir()] == ["state.json"]


def test_a_file_that_is_not_there_reads_as_the_default(path):
    assert files.read_json(path, ()) == ()


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_the_mode_is_the_one_asked_for(path, mode):
    files.write_whole(path, "…", mode=mode)

    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(lambda path: path.write_text("{"), "is no JSON", id="no JSON"),
        pytest.param(lambda path: path.write_text("[" * 100_000), "nested too deeply", id="without end to its depth"),
        pytest.param(lambda path: path.write_bytes(b"\xff"), "is no UTF-8 text", id="no text"),
        pytest.param(lambda path: path.mkdir(), "is a folder", id="a folder"),
        pytest.param(os.mkfifo, "is a pipe, a socket or a device", id="a pipe that nobody fills"),
        pytest.param(lambda path: path.symlink_to("/dev/zero"), "is a pipe, a socket or a device", id="a device"),
        pytest.param(lambda path: path.symlink_to(path.name), "cannot be read", id="a link to itself"),
        pytest.param(lambda path: path.write_bytes(bytes(files.MOST_BYTES + 1)), "more than the", id="without end"),
    ],
)
def test_whatever_lies_in_a_files_place_is_named_and_holds_nobody_up(tmp_path, make, words):
    path = tmp_path / "state.json"
    make(path)

    with pytest.raises(UnreadableFileError, match=words) as raised:
        files.read_json(path, None)
    assert str(raised.value).startswith(str(path))
    files.move_aside(path)
    assert files.read_json(path, "nothing") == "nothing"


def test_a_link_to_a_file_is_read(tmp_path):
    (tmp_path / "state.json").symlink_to(tmp_path / "other.json")
    (tmp_path / "other.json").write_text("1")

    assert files.read_json(tmp_path / "state.json", None) == 1


def test_a_filling_that_fails_leaves_the_old_file_and_no_draft(path):
    files.write_whole(path, "old")

    with pytest.raises(ValueError, match="fill"), files.whole_file(path) as output:  # noqa: PT012 – it fails half-way
        output.write(b"half of the")
        raise ValueError("cannot fill it")

    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_a_reader_sees_the_old_text_until_the_new_one_is_whole(path):
    files.write_whole(path, "old")

    with files.whole_file(path, durable=False) as output:
        output.write(b"new")
        output.flush()
        assert path.read_text() == "old"

    assert path.read_text() == "new"


def test_readers_never_see_half_a_file(tmp_path):
    path = tmp_path / "settings.json"
    files.write_json(path, {"n": 0, "filler": "x" * 20_000})

    def write(number: int) -> None:
        files.write_json(path, {"n": number, "filler": "x" * 20_000})

    with ThreadPoolExecutor(4) as threads:
        writing = [threads.submit(write, number) for number in range(40)]
        read = [files.read_json(path, None) for _ in range(200)]
        assert [one.result() for one in writing] == [None] * 40

    assert all(len(one["filler"]) == 20_000 for one in read)
    assert os.listdir(tmp_path) == ["settings.json"], "no draft is left behind"


def test_a_text_that_cannot_be_encoded_leaves_the_old_file(path):
    files.write_whole(path, "old")

    with pytest.raises(UnicodeEncodeError):
        files.write_whole(path, "\ud800")

    assert path.read_text() == "old"


def test_a_draft_keeps_the_name_that_it_was_given(tmp_path):
    with files.drafted_file(tmp_path) as draft:
        draft.write(b"content")
        (tmp_path / draft.name).rename(tmp_path / "named-by-its-content")

    assert [entry.name for entry in tmp_path.iterdir()] == ["named-by-its-content"]
    assert (tmp_path / "named-by-its-content").read_bytes() == b"content"


def test_a_draft_that_nobody_renamed_is_gone(tmp_path):
    with files.drafted_file(tmp_path) as draft:
        draft.write(b"content")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), os.mkfifo], ids=["a folder", "a pipe"])
def test_whatever_lies_in_a_logs_place_is_not_waited_for_and_moved_aside(tmp_path, make):
    path = tmp_path / "log"
    make(path)
    with pytest.raises(UnreadableFileError, match="where a file belongs"):
        files.open_to_append(path)
    for _ in range(2):
        with files.append_or_replace(path) as log:
            log.write(b"x")

    assert path.read_text() == "xx"


def test_a_number_of_thousands_of_digits_is_no_json(tmp_path):
    (tmp_path / "a.json").write_text("9" * 9999)
    with pytest.raises(UnreadableFileError, match="is no JSON"):
        files.read_json(tmp_path / "a.json", None)
