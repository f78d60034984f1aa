"""The layout of the embedded mode's state folder: its files, secrets and ports."""

import json
import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from pitwall_crds.errors import UnreadableFileError
from pitwall_crds.host import files
from pitwall_crds.reading.faults import fault_in_words
from pitwall_operator.machine import ownership
from pitwall_operator.machine.child import Child, Epoch, Pid, read_children

Port = Annotated[int, Field(gt=0, lt=2**16)]


class Ports(BaseModel):
    """Where each process listens."""

    gateway: Port
    metrics: Port
    flags: Port
    sync: Port
    operator: Port
    ingest: Port


class Settings(BaseModel):
    """What `up` was asked for."""

    ports: Ports
    cache: str
    media_roots: list[str]
    flag: str
    follow_up_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    web_origins: list[str] = []


PORT: Final = TypeAdapter(Port)
PROCESS: Final = TypeAdapter(tuple[Literal[0] | Pid, Epoch])
ROLES: Final = ("evaluate", "write", "kill")
TOKEN: Final = re.compile(r"[\x21-\x7e]{1,512}")


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

    def make(self) -> None:
        """Make it where it is missing, for this user alone. Raises OSError."""
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.run.mkdir(mode=0o700, exist_ok=True)

    def refuse_others(self) -> None:
        """Who writes here says which processes run and which are ended. Raises UnreadableFileError where that may be
        somebody else than this user: at once for all that is so."""
        found: dict[Path, os.stat_result] = {}
        for path in (self.state, self.run, *sorted(self.run.glob("*.json"))):
            with suppress(FileNotFoundError):
                found[path] = path.stat()
        ownership.refuse_others(self.state, found)

    def record(self, rollout: str) -> Path:
        """A rollout's decision record."""
        return self.state / "records" / f"{rollout}.jsonl"

    def settings(self) -> dict[str, Any]:
        """What `up` was asked for: ports, cache, media roots, flag. Raises UnreadableFileError."""
        return self._mapping(self.run / "settings.json")

    def whole_settings(self) -> Settings:
        """The same for whoever cannot do without any of them. Raises UnreadableFileError."""
        path = self.run / "settings.json"
        try:
            return Settings.model_validate_json(json.dumps(self._json(path, {})), strict=True)
        except ValidationError as error:
            words = fault_in_words(error, whole="it")
            raise self.unreadable(f"{path} holds no settings as we write them ({words})") from None

    def services(self) -> dict[str, tuple[int, float]]:
        """Pid and creation time of each service that the supervisor started. Raises UnreadableFileError."""
        path = self.run / "services.json"
        return {name: self._process(path, found) for name, found in self._mapping(path).items()}

    def supervisor(self) -> tuple[int, float] | None:
        """Pid and creation time of the supervisor that was started last. Raises UnreadableFileError."""
        path = self.run / "supervisor.json"
        found = self._json(path, None)
        return self._process(path, found) if found is not None else None

    def children(self) -> list[Child]:
        """The runtimes that the operator started. Raises UnreadableFileError."""
        try:
            return read_children(self.run / "processes.json")
        except UnreadableFileError as error:
            raise self.unreadable(error) from None

    def routed(self) -> frozenset[str]:
        """The URLs of runtimes that the gateway is told. Raises UnreadableFileError."""
        path = self.run / "routes.json"
        try:
            routes = self._mapping(path).get("variants", {})
            return frozenset(url for arms in routes.values() for urls in arms.values() for url in urls)
        except (AttributeError, TypeError):
            raise self.unreadable(f"{path} holds no routes as we write them") from None

    def unreadable(self, why: object) -> UnreadableFileError:
        """What is wrong with a file about running processes, and what helps whichever it is."""
        return UnreadableFileError(
            f"{why}; end what still runs of this folder (`ps ax` shows {self.state} in its command lines), delete that "
            "file and start anew with `pitwall up`"
        )

    def _json(self, path: Path, default: object) -> Any:
        try:
            return files.read_json(path, default)
        except UnreadableFileError as error:
            raise self.unreadable(error) from None

    def _mapping(self, path: Path) -> dict[str, Any]:
        found = self._json(path, {})
        if not isinstance(found, dict):
            raise self.unreadable(f"{path} holds no mapping")
        return found

    def _process(self, path: Path, found: object) -> tuple[int, float]:
        try:
            return PROCESS.validate_json(json.dumps(found), strict=True)
        except ValidationError:
            raise self.unreadable(f"{path} holds {found!r:.100} where a pid and its creation time belong") from None

    def write_settings(self, settings: dict[str, Any]) -> None:
        """Store them for every process of this folder."""
        self.make()
        files.write_json(self.run / "settings.json", settings)

    def port(self, process: str) -> int:
        """The TCP port of `gateway`, `metrics`, `flags`, `sync`, `operator` or `ingest`."""
        try:
            return PORT.validate_python(self.settings()["ports"][process], strict=True)
        except (LookupError, TypeError, ValidationError):
            raise self.unreadable(f"{self.run / 'settings.json'} names no port of {process}") from None

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
        known: dict[str, str] = self._mapping(path)
        if not known:
            known = {role: secrets.token_urlsafe(24) for role in ROLES}
            files.write_json(path, known, mode=0o600)
        if not all(isinstance(one := known.get(role), str) and TOKEN.fullmatch(one) for role in ROLES):
            raise self.unreadable(f"{path} holds no tokens of {', '.join(ROLES)}")
        return known
