"""The gateway with the real flag service: sticky users, pushed changes, a dead service."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter

import pytest
from harness import forked

from pitwall_flags.flag.document import ArmShare, shadow_document, split_document
from pitwall_gateway.flags.assign import Assigner
from pitwall_gateway.flags.sync import FollowedFlags

FLAG = "sampler.variant"
CROWD = [f"user-{number}" for number in range(2_000)]
USERS = CROWD[:20]
pytestmark = pytest.mark.slow


class SyncServiceProcess:
    """The flag service as a process, on free ports that it keeps over a restart."""

    def __init__(self, folder):
        self.folder, self.ports, self.process = folder, (0, 0), None

    def start(self):
        database = f"sqlite+aiosqlite:///{self.folder / 'flags.db'}"
        command = [sys.executable, "-m", "pitwall_flags.service", "--database", database, "--host", "127.0.0.1"]
        command += ["--http-port", str(self.ports[0]), "--sync-port", str(self.ports[1])]
        log = (self.folder / "flags.log").open("a")
        self.process = forked.start(command, stdout=subprocess.PIPE, stderr=log)
        log.close()
        line = self.process.stdout.readline()
        found = re.search(r"http=127.0.0.1:(\d+) sync=127.0.0.1:(\d+)", line)
        assert found, line + (self.folder / "flags.log").read_text()
        self.ports = (int(found[1]), int(found[2]))
        return self

    def kill(self):
        if self.process is not None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
            self.process.stdout.close()
            self.process = None

    def put(self, pit, key, document):
        url = f"http://127.0.0.1:{self.ports[0]}/v1/flags/{key}"
        known = pit.client.get(url)
        seen = {"If-Match": known.headers["etag"]} if known.status_code == 200 else {"If-None-Match": "*"}
        body = {"document": document, "actor": "test", "reason": "test"}
        answer = pit.client.put(url, json=body, headers=seen)
        assert answer.is_success, answer.text

    @property
    def sync(self):
        return f"127.0.0.1:{self.ports[1]}"


@pytest.fixture
def service(tmp_path):
    service = SyncServiceProcess(tmp_path).start()
    yield service
    service.kill()


@pytest.fixture
def pool(pit):
    """Both runtimes, routed."""
    runtimes = {name: pit.runtime(name) for name in ("uniform-v1", "aks-v2")}
    pit.route({name: {"stable": [runtime.url]} for name, runtime in runtimes.items()})
    return runtimes


def split(weight):
    shares = [
        ArmShare("candidate", "aks-v2", weight),
        ArmShare("control", "uniform-v1", min(weight, 10_000 - weight)),
        ArmShare("stable", "uniform-v1", 10_000 - weight - min(weight, 10_000 - weight)),
    ]
    return split_document(shares, salt="rollout-1")


def arms(pit):
    """Each user's own arm: on a busy machine stable may answer in place of a pod that is slow."""
    return {user: arm_of(pit, user) for user in USERS}


def arm_of(pit, user):
    answers = iter(lambda: pit.ask(user).headers, None)
    return next(headers["x-pitwall-arm"] for headers in answers if "x-pitwall-fallback" not in headers)


def followed(service, folder):
    return FollowedFlags(service.sync, state_dir=folder)


def test_users_stay_on_their_arm_and_never_return_while_the_weight_grows(pit, service):
    service.put(pit, FLAG, split(0))
    flags = followed(service, pit.folder)
    flags.start()
    assigner = Assigner(flags, FLAG, lambda last: last)
    seen = []
    for weight in (100, 1_000, 5_000, 10_000):
        service.put(pit, FLAG, split(weight))
        pit.until(lambda before=seen[-1:]: [everybody(assigner)] != before and crossed(assigner), "the new weight")
        seen.append(everybody(assigner))
        assert everybody(assigner) == seen[-1]
    flags.close()

    on_candidate = [candidates(arms) for arms in seen]
    assert on_candidate[0] < on_candidate[1] < on_candidate[2] < on_candidate[3] == set(CROWD)
    assert [round(len(users) / len(CROWD), 1) for users in on_candidate] == [0.0, 0.1, 0.5, 1.0]
    assert Counter(seen[1].values())["control"] == pytest.approx(200, abs=60)


def everybody(assigner):
    return {user: assigner.assign(user).arm for user in CROWD}


def crossed(assigner):
    return candidates(everybody(assigner))


def candidates(assigned):
    return {user for user, arm in assigned.items() if arm == "candidate"}


def test_a_shadow_flag_copies_its_share_of_users(pit, pool, service):
    service.put(pit, FLAG, split(0))
    service.put(pit, FLAG + ".shadow", shadow_document("aks-v2", 100, salt="rollout-1"))
    pit.open(followed(service, pit.folder))

    pit.ask("ann")

    pit.until(lambda: pit.metric("pitwall_shadow_pairs_total", outcome="ok") == 1, "the copy")


def test_a_flag_service_that_dies_changes_nothing_and_its_return_is_noticed(pit, pool, service):
    service.put(pit, FLAG, split(5_000))
    pit.open(followed(service, pit.folder))
    before = arms(pit)
    service.kill()
    during = arms(pit)
    service.start()
    service.put(pit, FLAG, split(0))

    pit.until(lambda: not candidates(arms(pit)), "the flag to be followed again", seconds=30)

    assert candidates(before)
    assert before == during


def test_a_gateway_that_starts_without_the_service_uses_the_flags_of_its_last_life(pit, pool, service):
    service.put(pit, FLAG, split(5_000))
    pit.open(followed(service, pit.folder))
    before = arms(pit)
    pit.gateway.stop()
    service.kill()

    pit.open(followed(service, pit.folder))

    assert arms(pit) == before


def test_a_gateway_that_never_saw_a_flag_answers_everybody_with_stable(pit, pool, service):
    service.kill()
    pit.open(followed(service, pit.folder))

    answers = [pit.ask(user) for user in USERS[:5]]

    assert {(answer.status_code, answer.headers["x-pitwall-variant"]) for answer in answers} == {(200, "uniform-v1")}


def test_users_are_counted_anew_when_the_split_changes_and_only_then(pit, pool, service):
    service.put(pit, FLAG, split(5_000))
    pit.open(followed(service, pit.folder))
    pit.until(lambda: candidates(arms(pit)), "the split")
    half = len(candidates(arms(pit)))
    service.put(pit, FLAG + ".shadow", shadow_document("", 0, salt="rollout-1"))

    assert len(candidates(arms(pit))) == half
    name = "rollout-1 candidate=5000 control=5000"
    assert pit.metric("pitwall_users_total", arm="candidate", split=name) == half

    service.put(pit, FLAG, split(10_000))
    pit.until(lambda: candidates(arms(pit)) == set(USERS), "the new split")
    arms(pit)  # whoever asked just before the change
    assert pit.metric("pitwall_users_total", split="rollout-1 candidate=10000") == len(USERS)
    assert pit.metric("pitwall_users_total") == len(USERS), "the split before is history"
