"""The evaluation event has the names of today's semantic conventions."""

from collections.abc import Iterator

import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider
from opentelemetry import trace

from pitwall_flags.flag.flagset import FlagSet
from pitwall_flags.provider.hook import EvaluationEvents
from pitwall_flags.provider.provider import PitwallProvider


@pytest.fixture(autouse=True)
def no_provider() -> Iterator[None]:
    yield
    api.shutdown()


def test_a_split_is_told_with_variant_set_and_version(tmp_path, split):
    events = []
    provider = PitwallProvider("127.0.0.1:1", state_path=tmp_path / "flags.json")
    document = {**split(10_000), "metadata": {"version": "7"}}
    provider._flags = FlagSet({"flags": {"sampler.variant": document}, "metadata": {"flagSetId": "video-qa"}})
    provider._stale = False
    provider.initialize = lambda context: None
    api.set_provider_and_wait(provider)
    api.add_hooks([EvaluationEvents(lambda name, attributes: events.append((name, attributes)))])
    api.get_client().get_string_value("sampler.variant", "x", EvaluationContext("user-1"))
    assert events == [
        (
            "feature_flag.evaluation",
            {
                "feature_flag.key": "sampler.variant",
                "feature_flag.provider.name": "pitwall",
                "feature_flag.result.reason": "split",
                "feature_flag.result.variant": "candidate",
                "feature_flag.context.id": "user-1",
                "feature_flag.set.id": "video-qa",
                "feature_flag.version": "7",
            },
        )
    ]


def test_an_error_is_told_with_its_type_and_the_value_only_without_a_variant():
    events = []
    api.set_provider_and_wait(InMemoryProvider({}))
    api.add_hooks([EvaluationEvents(lambda name, attributes: events.append(attributes))])
    api.get_client().get_string_value("none", "mine", EvaluationContext("user-1"))
    assert events[0]["error.type"] == "flag_not_found"
    assert events[0]["feature_flag.result.reason"] == "error"
    assert events[0]["feature_flag.result.value"] == "mine"


class RecordedSpan(trace.NonRecordingSpan):
    """A span as an SDK's would be, as far as events go."""

    def __init__(self) -> None:
        super().__init__(trace.INVALID_SPAN_CONTEXT)
        self.events: list[tuple[str, dict]] = []

    def add_event(self, name, attributes=None, timestamp=None) -> None:
        self.events.append((name, attributes))


def test_the_event_is_on_the_current_span():
    span = RecordedSpan()
    api.set_provider_and_wait(InMemoryProvider({"f": InMemoryFlag("on", {"on": True})}))
    api.add_hooks([EvaluationEvents()])
    with trace.use_span(span):
        api.get_client().get_boolean_value("f", False)
    ((name, attributes),) = span.events
    assert (name, attributes["feature_flag.result.variant"]) == ("feature_flag.evaluation", "on")
