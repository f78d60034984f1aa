"""Follows the flag service, through OpenFeature and our in-process provider."""

from collections.abc import Collection
from pathlib import Path
from typing import Final

from openfeature import api
from openfeature.evaluation_context import EvaluationContext

from pitwall_flags.provider.provider import PitwallProvider
from pitwall_gateway.flags.port import ERROR_REASON, AssignedFlag

DOMAIN: Final = "pitwall-gateway"


class FollowedFlags:
    """Flags as the service last sent them, evaluated in this process; kept on disk for a start without the service."""

    def __init__(self, target: str, *, state_dir: Path, token: str = "", authority: Path | None = None) -> None:
        """`target` is the HOST:PORT of the service's sync stream, `authority` who signed its certificate."""
        self._provider = PitwallProvider(target, state_path=state_dir / "flags.json", token=token, authority=authority)
        self._client = api.get_client(DOMAIN)

    def resolve(self, key: str, targeting_key: str) -> AssignedFlag:
        """The flag's word for this user."""
        context = EvaluationContext(targeting_key=targeting_key)
        details = self._client.get_string_details(key, "", context)
        if details.error_code is not None:
            return AssignedFlag("", "", ERROR_REASON, details.error_message or details.error_code)
        return AssignedFlag(details.value, details.variant or "", details.reason or "")

    def keys(self) -> Collection[str]:
        """The keys of all flags that the service sent."""
        return self._provider.flag_keys()

    def document(self, key: str) -> object:
        """The flag as the service last sent it."""
        return self._provider.flag_document(key)

    def start(self) -> None:
        """Follow the service; returns when the first flags are here, or after two seconds without them."""
        api.set_provider_and_wait(self._provider, DOMAIN)

    def close(self) -> None:
        """End the stream. Resolutions go on with what is known."""
        self._provider.shutdown()
