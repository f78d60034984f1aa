"""Servers that only save work cost no answer, however slowly they answer."""

import subprocess
import sys
import threading
import time

import pytest

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.ingest.files import open_video
from pitwall_runtime.pipeline import pipeline as pipelines
from pitwall_runtime.pipeline.pipeline import Pipeline
from pitwall_runtime.pipeline.resources import PipelineResources
from pitwall_runtime.pipeline.telemetry import RuntimeTelemetry
from pitwall_runtime.stores.files.eviction import Quota
from pitwall_runtime.stores.network import patience
from pitwall_runtime.stores.network.patience import STALL_SECONDS, Keeper
from pitwall_runtime.stores.network.shared import Shared, open_shared

PATIENCE_SECONDS = 60.0


def until(condition):
    latest = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < latest, "this was waited for in vain"
        time.sleep(0.01)


def first(shared, rows, deadline=None):
    """What the tiers have of so few rows."""
    return next(shared.read_rows("p", rows, deadline))


class Hanging:
    """A tier that never answers before it is let go."""

    name = "hanging"

    def __init__(self):
        self.asked = []
        self.let_go = threading.Event()

    def read(self, place, rows):
        self.asked.append(list(rows))
        assert self.let_go.wait(2 * PATIENCE_SECONDS)
        return {}

    write = read


class Quick:
    name = "quick"

    def read(self, _, rows):
        return dict.fromkeys(rows, b"x")

    def write(self, _, rows):
        pass


@pytest.fixture
def hanging():
    tier = Hanging()
    yield tier
    tier.let_go.set()


def test_a_tier_that_hangs_has_a_part_of_the_questions_time_and_is_then_left_alone(hanging):
    shared = Shared((hanging, Quick()))
    deadline = Deadline(5 * STALL_SECONDS)

    for _ in range(3):
        assert first(shared, [1], deadline) == {"hanging": {}, "quick": {1: b"x"}}
    assert deadline.remaining() > 0
    assert hanging.asked == [[1]]


def test_who_has_no_time_shows_nothing_about_a_tier(hanging):
    shared = Shared((hanging,))
    for seconds in (0.0, 0.1, 1.4, 0.5, 1.4):
        first(shared, [1], Deadline(seconds))
    assert len(hanging.asked) == 3, "there is no time to ask in a part of a tenth of a second"

    for _ in range(9):
        first(shared, [1], Deadline(1.4))
    assert 6 <= len(hanging.asked) <= 7, "but some that have little show it, once it is silent for two seconds"


class Late(Quick):
    """A tier that answers when its question has left, as one does that takes longer than a part of a short time."""

    def __init__(self):
        self.asked = self.answered = 0
        self.left = threading.Event()

    def read(self, _, rows):
        self.asked += 1
        if self.asked < 12:
            assert self.left.wait(PATIENCE_SECONDS)
            self.left.clear()
            self.answered += 1
        return dict.fromkeys(rows, b"x")


def test_who_has_less_time_than_a_sound_tier_takes_does_not_take_it_from_others():
    shared = Shared((tier := Late(),))
    begun = time.monotonic()
    for number in range(1, 12):
        assert first(shared, [1], Deadline(1.0)) == {"quick": {}}
        tier.left.set()
        until(lambda number=number: tier.answered == number)
    assert time.monotonic() - begun > STALL_SECONDS

    assert first(shared, [1], Deadline(PATIENCE_SECONDS)) == {"quick": {1: b"x"}}


def test_many_who_have_no_time_at_the_same_moment_are_no_row(hanging):
    """What five of one caller ask for within a moment comes a moment later."""
    shared = Shared((hanging,))
    asking = [threading.Thread(target=first, args=(shared, [1], Deadline(1.4))) for _ in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    hanging.let_go.set()

    assert first(shared, [1], Deadline(PATIENCE_SECONDS)) == {"hanging": {}}
    assert len(hanging.asked) == 9


def test_nothing_waits_long_for_what_is_sent(hanging):
    shared = Shared((hanging,))
    deadline = Deadline(PATIENCE_SECONDS)
    for number in range(3):
        shared.write_rows("p", {number: b"x"}, deadline)

    assert deadline.remaining() > PATIENCE_SECONDS - STALL_SECONDS - 5
    until(lambda: [1] in hanging.asked)  # it is sent all the same


class Slow:
    """A tier that takes its time for each writing."""

    name = "slow"

    def __init__(self):
        self.written = []

    def read(self, _, __):
        return {}

    def write(self, _, rows):
        threading.Event().wait(0.4)
        self.written.append(list(rows))


def test_a_question_waits_for_all_that_it_sends_together_and_who_prepares_until_it_is_there():
    shared, tier = Shared(), Slow()
    shared.tiers = (tier,)
    deadline = Deadline(PATIENCE_SECONDS)
    for number in range(20):
        shared.write_rows("p", {number: b"x"}, deadline)

    assert deadline.remaining() > PATIENCE_SECONDS - STALL_SECONDS - 2
    shared.keeper.settle(PATIENCE_SECONDS)
    assert sorted(tier.written) == [[number] for number in range(20)]


def test_only_so_much_waits_to_be_sent(caplog):
    go, sent = threading.Event(), []
    keeper = Keeper(most_bytes=100)

    def job(number):
        assert go.wait(PATIENCE_SECONDS)
        sent.append(number)

    keeper.send(60, lambda: job(0))
    keeper.send(60, lambda: job(1))
    keeper.send(40, lambda: job(2))
    go.set()
    until(lambda: len(sent) == 2)
    assert sorted(sent) == [0, 2]
    assert "too slow" in caplog.text


def test_who_prepares_waits_for_room_as_long_as_anything_is_sent(caplog):
    keeper, sent = Keeper(most_bytes=100, most_jobs=8), []
    deadline = Deadline(3600)

    def job(number):
        threading.Event().wait(0.02)
        sent.append(number)

    keeper._hurry_until = float("inf")  # sending itself waits for nothing
    for number in range(60):
        keeper.send(25, lambda number=number: job(number), deadline)
        if number % 2:
            keeper.make_room(deadline)
    keeper.settle(PATIENCE_SECONDS)

    assert sorted(sent) == list(range(60))
    assert "too slow" not in caplog.text


def test_what_a_worker_prepares_is_all_sent_however_little_may_wait(tmp_path, make_variant, clip, monkeypatch):
    monkeypatch.setattr(pipelines, "_STEP_FRAMES", 1)
    keeper, tier = Keeper(most_jobs=4), Slow()
    keeper._hurry_until = float("inf")  # sending itself waits for nothing
    resources = PipelineResources(Quota(tmp_path), shared=Shared((tier,), keeper=keeper))
    pipeline = Pipeline(make_variant("aks"), tmp_path / "cache", RuntimeTelemetry("aks-v1", "stable"), resources)

    steps = list(pipeline.prepare(open_video(clip, 1 << 30), Deadline(3600)))
    assert sorted(row for rows in tier.written for row in rows) == list(range(len(steps) - 1))


def test_who_prepares_does_not_wait_for_a_server_that_hangs(hanging, monkeypatch):
    monkeypatch.setattr(patience, "_NOTHING_SENT_SECONDS", 0.1)
    keeper, deadline = Keeper(most_jobs=2), Deadline(3600)
    keeper.send(1, lambda: hanging.write("p", {}))
    keeper.send(1, lambda: hanging.write("p", {}))

    keeper.make_room(deadline)
    assert deadline.remaining() > 3600 - PATIENCE_SECONDS


def test_a_server_that_hangs_holds_no_process_for_long():
    words = (
        "import time; from pitwall_runtime.stores.network import patience; patience._END_SECONDS = 0.2; "
        "keeper = patience.Keeper(); "
        "keeper.send(1, lambda: time.sleep(600)); keeper.send(1, lambda: (time.sleep(0.1), print('sent')))"
    )
    ended = subprocess.run([sys.executable, "-c", words], timeout=PATIENCE_SECONDS, capture_output=True, check=True)
    assert ended.stdout == b"sent\n"


class Wordy:
    """A tier whose library tells all that it knows."""

    name = "wordy"

    def read(self, _, __):
        raise OSError("no connection\nDebug source:\n" + 30 * "reqwest::Error { … }\n")


def test_of_what_a_tiers_library_says_one_line_is_logged(caplog):
    first(Shared((Wordy(),)), [1])
    assert caplog.messages == ["shared store wordy is left alone for 30 s: no connection"]


def test_what_is_sent_well_is_there_when_sending_returns():
    sent = []
    Keeper().send(1, lambda: sent.append(1), Deadline(PATIENCE_SECONDS))
    assert sent == [1]


def test_what_fails_while_it_is_sent_makes_room_again():
    keeper = Keeper(most_jobs=1)
    for _ in range(3):
        keeper.send(1, lambda: 1 / 0, Deadline(PATIENCE_SECONDS))
    done = []
    keeper.send(1, lambda: done.append(1), Deadline(PATIENCE_SECONDS))
    assert done


def test_object_storage_that_answers_nothing_costs_a_question_no_more_than_a_part_of_its_time(
    wild, tmp_path, make_variant, clip, monkeypatch
):
    pytest.importorskip("obstore")
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "test")
    asked = threading.Event()

    class SilentPaths(dict):
        def __missing__(self, _):
            asked.set()
            return lambda _, server: server.ended.wait()

    wild.talks = SilentPaths()
    shared = open_shared(f"s3://films/cache?endpoint=http://{wild.host}&region=us-east-1", "")
    resources = PipelineResources(Quota(tmp_path), shared=shared)
    pipeline = Pipeline(make_variant("aks"), tmp_path / "cache", RuntimeTelemetry("aks-v1", "stable"), resources)
    video = open_video(clip, 1 << 30)
    started = time.monotonic()

    answers = [pipeline.answer(video, "blue", "stable", deadline=Deadline(PATIENCE_SECONDS)) for _ in range(2)]

    assert [10 <= answer.answer.moments[0].pts_seconds < 15 for answer in answers] == [True, True]
    assert asked.is_set()
    assert time.monotonic() - started < 20
