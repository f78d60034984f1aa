"""The layout of the embedded mode's state folder: its files, secrets and ports."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pitwall_crds.host import files


@dataclass(frozen=True, slots=True)
class StateFolder:
    """A state folder. `up` writes settings and secrets once; every process reads them."""

    state: Path

    @property
    def run(self) -> Path:
        """Files about running processes."""
        return self.state / "run"

    @property
    def logs(self) -> Path:
        """What the processes print."""
        return self.state / "logs"

    @property
    def events(self) -> Path:
        """The event log, one JSON object per line."""
        return self.state / "events.jsonl"

    @property
    def revisions(self) -> Path:
        """Specs that pools run, one file per variant and revision."""
        return self.run / "revisions"

    @property
    def serving(self) -> Path:
        """The variants that pools run now, a file for each: what the ingest worker prepares videos for."""
        return self.run / "serving"

    def record(self, rollout: str) -> Path:
        """A rollout's decision record."""
        return self.state / "records" / f"{rollout}.jsonl"

    def settings(self) -> dict[str, Any]:
        """What `up` was asked for: ports, cache, media roots, flag."""
        known: dict[str, Any] = files.read_json(self.run / "settings.json", {})
        return known

    def write_settings(self, settings: dict[str, Any]) -> None:
        """Store them for every process of this folder."""
        files.write_json(self.run / "settings.json", settings)

    def port(self, process: str) -> int:
        """The TCP port of `gateway`, `metrics`, `flags`, `sync`, `operator` or `ingest`."""
        return int(self.settings()["ports"][process])

    def gateway_url(self) -> str:
        """Where questions go."""
        return f"http://127.0.0.1:{self.port('gateway')}"

    def metrics_url(self) -> str:
        """Where the gateway shows what it counts."""
        return f"http://127.0.0.1:{self.port('metrics')}"

    def ingest_url(self) -> str:
        """Where the ingest worker shows what it counts."""
        return f"http://127.0.0.1:{self.port('ingest')}"

    def flags_url(self) -> str:
        """The flag service's HTTP side."""
        return f"http://127.0.0.1:{self.port('flags')}"

    def secrets(self) -> dict[str, str]:
        """Tokens of the flag service, readable by this user alone; made when first asked for."""
        path = self.run / "secrets.json"
        known: dict[str, str] = files.read_json(path, {})
        if not known:
            known = {role: secrets.token_urlsafe(24) for role in ("evaluate", "write", "kill")}
            files.write_json(path, known, mode=0o600)
        return known
