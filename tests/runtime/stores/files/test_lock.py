"""One at a time: across threads, across processes, and after a holder's death."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pitwall_runtime.errors import UnavailableError
from pitwall_runtime.stores.files.drafts import drafted
from pitwall_runtime.stores.files.lock import exclusive

HOLDER = """
import sys, time
from pathlib import Path
from pitwall_runtime.stores.files.lock import exclusive
with exclusive(Path(sys.argv[1]), limit_seconds=5):
    print("held", flush=True)
    time.sleep(600)
"""


def test_two_threads_are_never_inside_together(tmp_path):
    inside, most = [], []

    def work(_):
        with exclusive(tmp_path / "deep" / "l", limit_seconds=20):
            inside.append(1)
            most.append(len(inside))
            inside.pop()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(12)))

    assert (max(most), len(most)) == (1, 12)


def test_who_waits_too_long_is_told_when_to_ask_again(tmp_path):
    with exclusive(tmp_path / "l", limit_seconds=1):
        started = time.monotonic()
        with (
            pytest.raises(UnavailableError, match=r"preparing this video for 0\.1 s; ask again in a minute"),
            exclusive(tmp_path / "l", limit_seconds=0.1),
        ):
            raise AssertionError("nobody else may be inside")
        assert time.monotonic() - started < 30, "it would wait for ever: the lock is held by who waits"


def test_an_error_inside_lets_go(tmp_path):
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path / "l", limit_seconds=1):
        raise ZeroDivisionError
    with exclusive(tmp_path / "l", limit_seconds=0.1):
        pass


def test_the_kernel_lets_go_when_a_holder_is_killed(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path / "l")], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    threading.Timer(0.1, os.kill, (process.pid, signal.SIGKILL)).start()

    with exclusive(tmp_path / "l", limit_seconds=20):
        assert process.wait(timeout=20) == -signal.SIGKILL
    process.stdout.close()


def test_a_draft_becomes_the_folder_or_vanishes(tmp_path):
    with drafted(tmp_path / "a") as draft:
        (draft / "f").write_text("1")
    assert (tmp_path / "a" / "f").read_text() == "1"
    with pytest.raises(ZeroDivisionError), drafted(tmp_path / "b"):
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_the_first_folder_stands_and_the_second_draft_vanishes(tmp_path):
    for word in ("first", "second"):
        with drafted(tmp_path / "a") as draft:
            (draft / "f").write_text(word)

    assert (tmp_path / "a" / "f").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_comes_and_goes_is_in_nobodys_way(tmp_path):
    """As a pool of another process that is evicted as soon as it is there."""
    done = threading.Event()

    def come_and_go():
        while not done.is_set():
            with drafted(tmp_path / "a") as draft:
                (draft / "f").write_text("other")
            (tmp_path / "a").rename(tmp_path / "gone")
            shutil.rmtree(tmp_path / "gone")

    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(come_and_go)
        try:
            for _ in range(1000):
                with drafted(tmp_path / "a") as draft:
                    (draft / "f").write_text("mine")
        finally:
            done.set()
        other.result(timeout=60)


def test_a_file_in_the_folders_place_is_an_error_and_leaves_no_draft(tmp_path):
    (tmp_path / "a").write_text("a file")

    with pytest.raises(OSError, match="a"), drafted(tmp_path / "a") as draft:
        (draft / "f").write_text("1")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
