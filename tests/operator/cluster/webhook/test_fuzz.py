"""Fuzzers: whatever an object holds, its review is an answer in words, and so is what the operator makes of it.

`make soak` makes PITWALL_FUZZ_INPUTS of each kind; docs/security.md tells of the largest runs.
"""

import asyncio
import json
import random
from dataclasses import dataclass
from typing import Any

from harness.fuzzing import fuzz, seed_of, some_or_many
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


@some_or_many(200)
def test_the_review_of_an_odd_object_is_an_answer_in_words(number):
    fuzz("reviews", odd_review, judge_review, number, seed=seed_of(number))


@some_or_many(200)
def test_an_odd_object_in_the_cache_is_read_or_told_in_its_status(number):
    with asyncio.Runner() as runner:
        fuzz("stored", stored_object, lambda found: judge_reading(runner, found), number, seed=seed_of(number))
