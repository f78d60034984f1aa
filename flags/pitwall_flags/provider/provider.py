"""The OpenFeature provider of a gateway: follows the sync stream and evaluates flags without any I/O."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
from openfeature.provider import AbstractProvider, Metadata

from pitwall_flags.flag.evaluate import EvaluationFault, FlagResolution, ResolutionReason
from pitwall_flags.flag.flagset import FlagSet
from pitwall_flags.provider import last_known, telemetry
from pitwall_flags.provider.sync_client import SyncClient, SyncSource

log = logging.getLogger(__name__)

FIRST_FLAGS_SECONDS: Final = 2.0
"""How long initialization waits for the first flags before it goes on with the last known ones, or none."""

_ERROR_CODES: Final = {fault: ErrorCode(fault.value) for fault in EvaluationFault}


class PitwallProvider(AbstractProvider):
    """Evaluates in process what the flag service last sent; while that is away, the last known, with reason STALE."""

    def __init__(
        self,
        target: str,
        *,
        state_path: Path,
        retry_seconds: float = 1.0,
        token: str = "",
        selector: str = "",
        authority: Path | None = None,
    ) -> None:
        super().__init__()
        self._state_path = state_path / "flags.json" if state_path.is_dir() else state_path
        self._flags = FlagSet({})
        self._stale = True
        self._settled = threading.Event()
        self._source = SyncSource(target, token, retry_seconds, selector, authority)
        self._follower: SyncClient | None = None

    @property
    def is_stale(self) -> bool:
        """Whether the flag service is out of reach at present."""
        return self._stale

    def flag_keys(self) -> tuple[str, ...]:
        """The keys of all known flags."""
        return tuple(self._flags.documents)

    def flag_document(self, key: str) -> object:
        """The flag as it was last sent; None if it is unknown."""
        return self._flags.documents.get(key)

    def initialize(self, evaluation_context: EvaluationContext) -> None:  # noqa: ARG002 - OpenFeature's signature
        """Load the last known flags and start to follow; returns within FIRST_FLAGS_SECONDS and never raises."""
        known = last_known.load(self._state_path)
        if known and not self._flags.documents:
            self._flags = known[1]
        telemetry.STALE.set(1)
        self._follower = SyncClient(self._source, self._receive, self._lose)
        self._follower.start()
        self._settled.wait(FIRST_FLAGS_SECONDS)

    def shutdown(self) -> None:
        """Stop following. Evaluation goes on with what is known."""
        if self._follower:
            self._follower.stop()

    def get_metadata(self) -> Metadata:
        """The provider's name."""
        return Metadata(name=telemetry.PROVIDER_NAME)

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """The flag's boolean."""
        return self._resolve(flag_key, default_value, evaluation_context, _is_boolean)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """The flag's string."""
        return self._resolve(flag_key, default_value, evaluation_context, _is_string)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """The flag's integer."""
        return self._resolve(flag_key, default_value, evaluation_context, _is_integer)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """The flag's number."""
        details = self._resolve(flag_key, default_value, evaluation_context, _is_number)
        details.value = float(details.value)
        return details

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """The flag's object."""
        return self._resolve(flag_key, default_value, evaluation_context, _is_object)

    def _resolve(
        self, key: str, default: Any, context: EvaluationContext | None, fits: Callable[[Any], bool]
    ) -> FlagResolutionDetails[Any]:
        targeting_key, attributes = (context.targeting_key or "", context.attributes) if context else ("", {})
        resolution = self._flags.evaluate(key, targeting_key, attributes)
        telemetry.count(key, resolution)
        if resolution.fault is not None:
            return _faulty(default, resolution, resolution.fault, resolution.message)
        if resolution.value is None:
            return FlagResolutionDetails(default, reason=resolution.reason, flag_metadata=resolution.metadata)
        if not fits(resolution.value):
            words = f"flag {key!r} holds a {type(resolution.value).__name__}; ask for that type"
            return _faulty(default, resolution, EvaluationFault.TYPE_MISMATCH, words)
        reason = ResolutionReason.STALE if self._stale else resolution.reason
        return FlagResolutionDetails(
            resolution.value, reason=reason, variant=resolution.variant, flag_metadata=resolution.metadata
        )

    def _receive(self, text: str) -> None:
        """New flags: visible first, then kept, then told. Raises ValueError when they are none."""
        before, was_stale = self._flags, self._stale
        self._flags = flags = FlagSet.parse(text, before)
        self._stale = False
        telemetry.STALE.set(0)
        changed = flags.changed_keys(before)
        if changed and not was_stale:
            self._observe_lag(flags)
        self._settled.set()
        last_known.save(self._state_path, text)
        if was_stale:
            self.emit_provider_ready(ProviderEventDetails(message="following the flag service"))
        if changed:
            self.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=changed))

    def _observe_lag(self, flags: FlagSet) -> None:
        """Seconds since the write, on this machine's clock against the service's."""
        written_at_ms = flags.metadata.get("writtenAtMs")
        if isinstance(written_at_ms, int):
            telemetry.PROPAGATION.observe(max(0.0, time.time() - written_at_ms / 1000))

    def _lose(self, why: str) -> None:
        """The stream is lost. Told after every failed attempt, since the SDK says READY once initialization returns."""
        if not self._stale:
            log.warning("lost the flag service (%s); serving the last known flags", why)
        self._stale = True
        telemetry.STALE.set(1)
        self._settled.set()
        self.emit_provider_stale(ProviderEventDetails(message=f"the flag service is out of reach: {why}"))


def _faulty(
    default: Any, resolution: FlagResolution, fault: EvaluationFault, message: str
) -> FlagResolutionDetails[Any]:
    return FlagResolutionDetails(
        default,
        error_code=_ERROR_CODES[fault],
        error_message=message,
        reason=ResolutionReason.ERROR,
        flag_metadata=resolution.metadata,
    )


def _is_boolean(value: Any) -> bool:
    return isinstance(value, bool)


def _is_string(value: Any) -> bool:
    return isinstance(value, str)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict | list)
