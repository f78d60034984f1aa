"""The cache stays below its quota; what is in use stays, also for another process; what dead processes left goes."""

import errno
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from fractions import Fraction

import numpy as np
import pytest

from pitwall_runtime.errors import StorageFullError
from pitwall_runtime.media import Frame, PoolSpec, Shot, Timeline, Video
from pitwall_runtime.stores.__main__ import main
from pitwall_runtime.stores.files.eviction import CacheLimits, EntryKind, Quota, disk_bytes, entries
from pitwall_runtime.stores.files.lock import held
from pitwall_runtime.stores.frames.disk import DiskFrameStore

SPEC = PoolSpec()
ENTRY_BYTES = 100_000


def make(root, number, *, kind=EntryKind.FRAMES, unused_seconds=0.0):
    """An entry of about 100 kB, last used so long ago."""
    folder = root / kind / f"{number:064x}" / SPEC.key / ("e" if kind is EntryKind.EMBEDDINGS else "")
    if kind is EntryKind.DOWNLOADS:
        (root / kind).mkdir(parents=True, exist_ok=True)
        lease = data = root / kind / f"{number:064x}"
    else:
        folder.mkdir(parents=True)
        lease, data = folder / ".lease", folder / "data"
        lease.touch()
    data.write_bytes(os.urandom(ENTRY_BYTES))
    used = time.time() - unused_seconds
    os.utime(lease, (used, used))
    return lease


def make_small(root, kind, count):
    """So many files of a block each, the first of them used longest ago."""
    folder = kind.folder(root) / ("e" if kind is EntryKind.QUESTIONS else "")
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number:05}").write_bytes(bytes(1000))
        os.utime(folder / f"{number:05}", (number, number))


def left(root):
    return sorted((entry.kind, int(entry.video_hash, 16)) for entry in entries(root) if not entry.kind.is_small)


@pytest.mark.parametrize("kind", [kind for kind in EntryKind if not kind.is_small])
def test_what_was_used_longest_ago_goes_first(tmp_path, kind):
    for number in range(10):
        make(tmp_path, number, kind=kind, unused_seconds=number * 10)
    used = Quota(tmp_path, CacheLimits(5 * ENTRY_BYTES)).sweep()
    assert left(tmp_path) == [(kind, number) for number in range(4)]
    assert used == disk_bytes(tmp_path) <= 5 * ENTRY_BYTES
    assert all(not path.name.startswith(".evicted") for path in tmp_path.rglob("*"))


def test_what_is_in_use_stays_even_above_the_quota(tmp_path):
    leases = [make(tmp_path, number, unused_seconds=number * 10) for number in range(5)]
    with held(leases[4]), held(leases[3]):
        Quota(tmp_path, CacheLimits(1)).sweep()
        assert left(tmp_path) == [(EntryKind.FRAMES, 3), (EntryKind.FRAMES, 4)]
    Quota(tmp_path, CacheLimits(1)).sweep()
    assert left(tmp_path) == []


def test_what_another_process_uses_stays_until_that_process_dies(tmp_path):
    lease = make(tmp_path, 1)
    code = (
        "import sys, pathlib; from pitwall_runtime.stores.files.lock import held\n"
        "with held(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code, lease], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout.readline() == "held\n"
        Quota(tmp_path, CacheLimits(1)).sweep()
        assert left(tmp_path) == [(EntryKind.FRAMES, 1)]
        other.kill()
        other.wait()
    Quota(tmp_path, CacheLimits(1)).sweep()
    assert left(tmp_path) == []


SMALL = [kind for kind in EntryKind if kind.is_small]


@pytest.mark.parametrize("kind", SMALL)
def test_questions_and_addresses_have_a_small_part_to_themselves_and_evict_no_video(tmp_path, kind):
    for number in range(3):
        make(tmp_path, number, unused_seconds=1e6)
    limit = 10 * ENTRY_BYTES
    make_small(tmp_path, kind, 400)  # more than all of the quota
    assert disk_bytes(tmp_path) > limit
    used = Quota(tmp_path, CacheLimits(limit)).sweep()

    assert left(tmp_path) == [(EntryKind.FRAMES, number) for number in range(3)]
    kept = sorted(entry.path.name for entry in entries(tmp_path) if entry.kind is kind)
    assert kept == [f"{number:05}" for number in range(400 - len(kept), 400)]  # used last
    assert 0 < disk_bytes(kind.folder(tmp_path)) <= limit / 100 + 4096 * 2  # and the folder itself
    assert used == disk_bytes(tmp_path)


@pytest.mark.parametrize("kind", SMALL)
def test_questions_and_addresses_that_nobody_used_for_long_go(tmp_path, kind):
    make_small(tmp_path, kind, 3)
    Quota(tmp_path, CacheLimits(0, ttl_seconds=500)).sweep(now=501)
    assert [entry.path.name for entry in entries(tmp_path)] == ["00001", "00002"]


def test_use_makes_young(tmp_path):
    leases = [make(tmp_path, number, unused_seconds=1000 + number) for number in range(2)]
    with held(leases[1]):
        pass
    Quota(tmp_path, CacheLimits(0, ttl_seconds=500)).sweep()
    assert left(tmp_path) == [(EntryKind.FRAMES, 1)]


def test_the_evicted_cannot_be_held(tmp_path):
    lease = make(tmp_path, 1)
    Quota(tmp_path, CacheLimits(1)).sweep()
    with pytest.raises(FileNotFoundError), held(lease):
        pass


def test_without_limits_nothing_goes(tmp_path):
    make(tmp_path, 1, unused_seconds=1e9)
    quota = Quota(tmp_path)
    quota.grow(1 << 50)
    quota.sweep()
    assert left(tmp_path) == [(EntryKind.FRAMES, 1)]


def test_what_dead_processes_left_goes_after_an_hour(tmp_path):
    made = [
        tmp_path / "frames" / "ab" / ".draft-1" / "frames.bin",
        tmp_path / "frames" / "ab" / ".draft-2" / "frames.bin",
        tmp_path / "downloads" / ".part-1",
        tmp_path / "locks" / "ab.lock",
        tmp_path / "locks" / "cd.lock",
    ]
    for path in made:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    now = time.time() + 3601
    os.utime(made[1], (now, now))  # somebody still writes into this one
    with made[4].open("a") as file:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)
        Quota(tmp_path).sweep(now=now)
    assert [path for path in made if path.exists()] == [made[1], made[4]]


def test_a_writer_makes_room_and_is_refused_where_there_is_none(tmp_path):
    lease = make(tmp_path, 1)
    quota = Quota(tmp_path, CacheLimits(4 * ENTRY_BYTES))
    quota.grow(2 * ENTRY_BYTES)
    assert left(tmp_path) == [(EntryKind.FRAMES, 1)]
    with held(lease), pytest.raises(StorageFullError, match=f"its limit is {4 * ENTRY_BYTES}"):
        quota.grow(3 * ENTRY_BYTES)
    quota.grow(3 * ENTRY_BYTES)
    assert left(tmp_path) == []


def test_nothing_is_looked_at_while_there_is_room_by_what_was_announced(tmp_path):
    """A sweep for each hundredth once took a busy runtime's time."""
    make(tmp_path, 1)
    quota = Quota(tmp_path, CacheLimits(10 * ENTRY_BYTES))
    with quota.bringing("web.ann") as draft:
        assert quota.announced(ENTRY_BYTES, draft) == ENTRY_BYTES, "nothing is known before the first sweep"
        quota.find_room(ENTRY_BYTES, draft)
        asked = [quota.announced(ENTRY_BYTES, draft) for _ in range(8)]

    assert asked == [0] * 7 + [ENTRY_BYTES]


@pytest.mark.parametrize(("number", "full"), [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EACCES, False)])
def test_only_a_full_disk_makes_room(tmp_path, number, full):
    for entry in range(4):
        make(tmp_path, entry, unused_seconds=entry)
    assert Quota(tmp_path).make_room(OSError(number, "x")) is full
    assert len(left(tmp_path)) == (3 if full else 4)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EIO])
def test_of_a_disk_that_fails_nothing_is_evicted_since_that_makes_no_room(tmp_path, number):
    make(tmp_path, 0)
    assert Quota(tmp_path).make_room(OSError(number, "x"))
    assert len(left(tmp_path)) == 1


def fill(writer):
    for number in range(20):
        writer.add(Frame(number, np.random.default_rng(number).integers(0, 255, (64, 96, 3)).astype(np.uint8)))
    return writer.commit(Timeline(Fraction(1, 1), 20), (Shot(0, 20),))


def test_readers_beside_a_greedy_evictor_see_whole_pools_or_none(tmp_path):
    """Six videos, three readers who write what is not there, and somebody who evicts all the time."""
    done = threading.Event()
    store = DiskFrameStore(tmp_path / "frames")
    videos = [Video(f"{number:064x}", tmp_path) for number in range(6)]

    def evict():
        while not done.is_set():
            Quota(tmp_path, CacheLimits(1)).sweep()

    with ThreadPoolExecutor(4) as threads:
        evicting = threads.submit(evict)
        reading = [threads.submit(read_whole_pools, store, videos, seed) for seed in range(3)]
        wait(reading, timeout=100)
        done.set()
        for future in (*reading, evicting):
            future.result(timeout=60)
    assert read_whole_pools(store, videos, seed=3) == 50, "whatever was evicted, all is well afterwards"


def read_whole_pools(store, videos, seed) -> int:
    dice, whole = np.random.default_rng(seed), 0
    for _ in range(50):
        video = videos[dice.integers(len(videos))]
        if store.find(video, SPEC) is None:
            store.write(video, SPEC, fill)
        with store.hold(video, SPEC) as pool:
            if pool:
                assert all(store.jpeg(pool, index).startswith(b"\xff\xd8") for index in range(20))
                whole += 1
    return whole


def test_a_pool_that_finds_no_room_leaves_nothing(small_disk):
    root = small_disk / "cache"
    root.mkdir()
    (small_disk / "filler").write_bytes(bytes((8 << 20) - 200_000))
    with pytest.raises(StorageFullError, match="disk is full"):
        DiskFrameStore(root / "frames").write(
            Video("ab" * 32, root), SPEC, lambda writer: [fill(writer) for _ in "123"]
        )
    assert [path for path in root.rglob("*") if path.is_file()] == []


def cli(capsys, *arguments):
    status = main([str(argument) for argument in arguments])
    return status, capsys.readouterr()


def test_what_the_cache_holds_is_shown_oldest_first(tmp_path, capsys):
    make(tmp_path, 1, unused_seconds=60)
    make(tmp_path, 2, kind=EntryKind.DOWNLOADS, unused_seconds=7200)
    make(tmp_path, 3, kind=EntryKind.EMBEDDINGS)
    _, out = cli(capsys, "show", "--cache-dir", tmp_path)
    lines = out.out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["downloads", "frames", "embeddings"]
    assert "unused    120 min" in lines[0]
    assert lines[3].startswith("3 entries; the whole folder has ")
    _, out = cli(capsys, "show", "--cache-dir", tmp_path, "--output", "json")
    assert [entry["video"] for entry in json.loads(out.out)["entries"]] == [f"{n:064x}" for n in (2, 1, 3)]


def test_small_entries_are_shown_together_and_cleared_by_kind(tmp_path, capsys):
    make(tmp_path, 1)
    make_small(tmp_path, EntryKind.QUESTIONS, 5)
    make_small(tmp_path, EntryKind.ADDRESSES, 2)
    _, out = cli(capsys, "show", "--cache-dir", tmp_path)
    assert [line.split()[:3] for line in out.out.splitlines()[1:3]] == [
        ["questions", "5", "files,"],
        ["addresses", "2", "files,"],
    ]
    _, out = cli(capsys, "show", "--cache-dir", tmp_path, "--output", "json")
    assert {kind: count["entries"] for kind, count in json.loads(out.out)["small"].items()} == {
        "questions": 5,
        "addresses": 2,
    }
    _, out = cli(capsys, "clear", "--cache-dir", tmp_path, "--kind", "questions", "--output", "json")
    assert len(json.loads(out.out)["deleted"]) == 5
    assert {entry.kind for entry in entries(tmp_path)} == {EntryKind.FRAMES, EntryKind.ADDRESSES}


def test_what_is_chosen_is_cleared_and_what_is_in_use_is_not(tmp_path, capsys):
    make(tmp_path, 1, unused_seconds=100_000)
    lease = make(tmp_path, 2, unused_seconds=100_000)
    make(tmp_path, 3)
    make(tmp_path, 4, kind=EntryKind.DOWNLOADS, unused_seconds=100_000)
    with held(lease):
        os.utime(lease, (0, 0))
        _, out = cli(capsys, "clear", "--cache-dir", tmp_path, "--kind", "frames", "--unused-days", "1")
    assert out.out.startswith("deleted 1 entries, ")
    assert out.out.endswith("1 are in use and stay\n")
    assert left(tmp_path) == [(EntryKind.DOWNLOADS, 4), (EntryKind.FRAMES, 2), (EntryKind.FRAMES, 3)]
    cli(capsys, "clear", "--cache-dir", tmp_path, "--video", f"{3:064x}"[:60])
    assert (EntryKind.FRAMES, 3) in left(tmp_path) or left(tmp_path) == []


def test_no_cache_is_told(tmp_path, capsys):
    status, out = cli(capsys, "show", "--cache-dir", tmp_path / "none")
    assert status == 2
    assert "check --cache-dir" in out.err
