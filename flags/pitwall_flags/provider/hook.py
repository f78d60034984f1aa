"""Records flag evaluations as `feature_flag.evaluation` events on the current OpenTelemetry span."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from openfeature.flag_evaluation import FlagEvaluationDetails
from openfeature.hook import Hook, HookContext, HookHints

EVENT_NAME: Final = "feature_flag.evaluation"

Emit = Callable[[str, Mapping[str, str]], None]


class EvaluationEvents(Hook):
    """Emits one event for each evaluation, with the current attribute names of the semantic conventions.

    `python-sdk`'s own `openfeature.telemetry` still has the names of an older draft.
    """

    def __init__(self, emit: Emit | None = None) -> None:
        self._emit = emit or _on_current_span

    def finally_after(
        self,
        hook_context: HookContext,
        details: FlagEvaluationDetails[Any],
        hints: HookHints,  # noqa: ARG002 - OpenFeature's signature
    ) -> None:
        """Emit the event; what goes wrong here must not reach the evaluation."""
        self._emit(EVENT_NAME, event_attributes(hook_context, details))


def event_attributes(context: HookContext, details: FlagEvaluationDetails[Any]) -> dict[str, str]:
    """The attributes of one evaluation. Empty ones are left out; the value is sent only without a variant."""
    metadata, provider = details.flag_metadata, context.provider_metadata
    named = {
        "feature_flag.key": details.flag_key,
        "feature_flag.provider.name": provider.name if provider else "",
        "feature_flag.result.reason": str(details.reason or "unknown").lower(),
        "feature_flag.result.variant": details.variant or "",
        "feature_flag.result.value": "" if details.variant else str(details.value),
        "feature_flag.context.id": str(metadata.get("contextId") or context.evaluation_context.targeting_key or ""),
        "feature_flag.set.id": str(metadata.get("flagSetId", "")),
        "feature_flag.version": str(metadata.get("version", "")),
        "error.type": details.error_code.value.lower() if details.error_code else "",
        "feature_flag.error.message": (details.error_message or "") if details.error_code else "",
    }
    return {name: value for name, value in named.items() if value}


def _on_current_span(name: str, attributes: Mapping[str, str]) -> None:
    """Add the event to the current span; without OpenTelemetry installed, nothing happens."""
    if _trace is not None:
        _trace.get_current_span().add_event(name, dict(attributes))


def _opentelemetry() -> Any:
    try:
        from opentelemetry import trace
    except ImportError:
        return None
    return trace


_trace = _opentelemetry()
