"""Events: one for each thing that is said, counted when it is said again, never in the way of anything."""

import pytest

from pitwall_crds.names import EventReason
from pitwall_operator.kube.client import EVENTS
from pitwall_operator.kube.events import MESSAGE_BYTES, Events
from pitwall_operator.values.effects import Announce

ROLLOUT = {
    "apiVersion": "pitwall.dev/v1alpha1", "kind": "Rollout",
    "metadata": {"namespace": "shop", "name": "sampler", "uid": "u1", "resourceVersion": "7"},
}  # fmt: skip
HARM = Announce(EventReason.FLAGGED_OFF, "aks-v1 is worse", warning=True)


@pytest.fixture
def events(kube) -> Events:
    return Events(kube, "pod-1")


def posted(api) -> list[dict]:
    return [body for method, _, body in api.calls if method == "POST"]


async def test_an_event_says_what_about_whom_and_how_bad(events, api):
    api.on("POST", EVENTS.path("shop"), 201, {})
    await events.announce(ROLLOUT, HARM)
    await events.announce(ROLLOUT, Announce(EventReason.PROMOTED, "aks-v1 serves everybody"))

    harm, promoted = posted(api)
    assert (harm["type"], harm["reason"], harm["message"]) == ("Warning", "FlaggedOff", "aks-v1 is worse")
    assert (promoted["type"], promoted["count"]) == ("Normal", 1)
    assert harm["involvedObject"]["uid"] == "u1"
    assert harm["metadata"]["name"] != promoted["metadata"]["name"]


async def test_the_same_words_again_are_counted_and_keep_their_first_time(events, api):
    path = EVENTS.path("shop")
    api.on("POST", path, 409, {"message": "exists"})
    known = {"firstTimestamp": "2026-01-01T00:00:00Z", "count": 4}

    def get_or_apply(body):
        return 200, body or known

    await events.announce(ROLLOUT, HARM)
    name = posted(api)[0]["metadata"]["name"]
    api.answers[("GET", f"{path}/{name}")] = api.answers[("PATCH", f"{path}/{name}")] = get_or_apply
    await events.announce(ROLLOUT, HARM)

    assert api.calls[-1][0] == "PATCH"
    assert (api.calls[-1][2]["count"], api.calls[-1][2]["firstTimestamp"]) == (5, "2026-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("status", "words"), [(403, "an event could not be written"), (409, "an event could not be counted")]
)
async def test_an_event_that_cannot_be_written_is_only_logged(events, api, caplog, status, words):
    api.on("POST", EVENTS.path("shop"), status, {"message": "no"})
    await events.announce(ROLLOUT, HARM)

    assert words in caplog.text


async def test_a_long_message_is_cut_between_letters(events, api):
    api.on("POST", EVENTS.path("shop"), 201, {})
    await events.announce(ROLLOUT, Announce(EventReason.PROMOTED, "x" + "é" * MESSAGE_BYTES))

    [event] = posted(api)
    assert len(event["message"].encode()) <= MESSAGE_BYTES
    assert set(event["message"]) == {"x", "é"}
