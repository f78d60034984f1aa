"""Fuzzers: whatever an object holds, its review is an answer in words, and so is what the operator makes of it.

`make soak` makes PITWALL_FUZZ_INPUTS of each kind; docs/security.md tells of the largest runs.
"""

import asyncio
import json
import random
from dataclasses import dataclass
from typing import Any

import pytest
from harness.fuzzing import MANY, any_seed, fuzz
from harness.odd_resources import stored_object
from pydantic import ValidationError

from pitwall_crds.host.printable import printable
from pitwall_crds.rollout.rollout import Rollout
from pitwall_operator.cluster import settings
from pitwall_operator.cluster.controller.statuses import StatusWriter
from pitwall_operator.cluster.webhook.admission import review
from pitwall_operator.decision.permission.runnable import in_words
from pitwall_operator.kube.cache import Cache
from pitwall_operator.kube.client import ROLLOUTS, VARIANTS, Kind

KNOWN = settings.read(["--flags-url", "http://f", "--runtime-image", "i"]).known
LONGEST_WORDS = 16_384


@dataclass
class Reviewed:
    """What is asked of the webhook."""

    kind: Kind
    operation: str
    found: dict[str, Any]
    old: dict[str, Any] | None
    stored: list[tuple[Kind, dict[str, Any]]]


def kind_of(found: dict[str, Any]) -> Kind:
    return ROLLOUTS if found["kind"] == "Rollout" else VARIANTS


def renamed(found: dict[str, Any], name: str) -> dict[str, Any]:
    return {**found, "metadata": {**found["metadata"], "name": name, "uid": name}}


def odd_review(dice: random.Random) -> Reviewed:
    """Of any object, beside any others that are stored."""
    found, old = stored_object(dice), stored_object(dice)
    old["kind"] = found["kind"]
    operation = dice.choice(("CREATE", "UPDATE", "DELETE"))
    others = [renamed(stored_object(dice), name) for name in ("aks-v1", "dpp-v1", "other")[: dice.randrange(4)]]
    stored = [(kind_of(one), one) for one in (*others, old)]
    return Reviewed(kind_of(found), operation, found, old if operation == "UPDATE" else None, stored)


def judge_words(words: str) -> None:
    assert words
    assert len(words) < LONGEST_WORDS
    assert printable(words) == words


def judge_review(asked: Reviewed) -> None:
    cache = Cache()
    for kind, one in asked.stored:
        cache.put(kind, one)
    answer = review(asked.kind, asked.operation, asked.found, cache, KNOWN, asked.old)
    for words in (*answer.warnings, *((in_words(answer.refusals),) if answer.refusals else ())):
        judge_words(words)


class RefusingKube:
    """Keeps the status that is written."""

    written: dict[str, Any] | None = None

    def clock(self) -> float:
        return 1_800_000_000.0

    async def replace_status(self, _kind: Any, found: dict[str, Any]) -> dict[str, Any]:
        self.written = found["status"]
        return found


class QuietEvents:
    async def announce(self, *_: Any) -> None:
        return


def judge_reading(runner: asyncio.Runner, found: dict[str, Any]) -> None:
    """As the controller reads it from its cache: a rollout, or a status that says what is wrong with it."""
    found = {**found, "kind": "Rollout"}
    cache, kube = Cache(), RefusingKube()
    cache.put(ROLLOUTS, found)
    kept = cache.objects[ROLLOUTS][("shop", "sampler")]
    try:
        Rollout.model_validate(kept)
    except ValidationError as error:
        writer = StatusWriter(kube, cache, QuietEvents(), lambda: 0.0)  # type: ignore[arg-type]
        runner.run(writer.refuse(kept, error))
        assert kube.written is not None
        json.dumps(kube.written, allow_nan=False)
        judge_words(kube.written["reason"])
        judge_words(kube.written["conditions"][0]["message"])


def fuzz_kind(kind: str, number: int, *, seed: int) -> None:
    if kind == "reviews":
        fuzz(kind, odd_review, judge_review, number, seed=seed)
        return
    with asyncio.Runner() as runner:
        fuzz(kind, stored_object, lambda found: judge_reading(runner, found), number, seed=seed)


@pytest.mark.parametrize("kind", ["reviews", "objects"])
def test_some_odd_objects_are_answered_in_words(kind):
    fuzz_kind(kind, 300, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("kind", ["reviews", "objects"])
def test_very_many_odd_objects_are_answered_in_words(kind):
    fuzz_kind(kind, MANY, seed=any_seed())
