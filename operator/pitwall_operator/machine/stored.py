"""Files of one resource in a state folder: its spec, its status with the uid it belongs to, and who may write them."""

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import yaml
from pydantic import ValidationError

from pitwall_crds.errors import UnreadableFileError
from pitwall_crds.host import files
from pitwall_crds.host.printable import printable
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.rollout.status import RolloutStatus
from pitwall_crds.variant.variant import SamplerVariant, SamplerVariantStatus
from pitwall_operator.values.errors import ResourceRefusedError

Resource = SamplerVariant | Rollout
KINDS: dict[str, type[SamplerVariant] | type[Rollout]] = {"SamplerVariant": SamplerVariant, "Rollout": Rollout}
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Specs are read several times a second; libyaml needs a tenth of the time where it is there."""

STATUSES: Final[dict[str, type[SamplerVariantStatus] | type[RolloutStatus]]] = {
    "SamplerVariant": SamplerVariantStatus,
    "Rollout": RolloutStatus,
}
UID: Final = "uid"
"""The key of a status file that no status has. Files of older versions lack it, as their specs do."""
LOCK_SECONDS: Final = 10.0
"""Nobody holds the lock for longer than it takes to write a file; a process that was stopped meanwhile may."""

UNREADABLE: Final = (yaml.YAMLError, TypeError, ValueError, RecursionError, OSError)
"""What reading a file raises, whatever it holds or is."""


def read_spec(path: Path, kind: str, name: str) -> Resource:
    """The resource of a file, without its status. Raises one of UNREADABLE."""
    data = yaml.load(files.read_text(path), Loader=LOADER)  # noqa: S506 – it is a safe loader
    if not isinstance(data, dict):
        raise UnreadableFileError("it holds no mapping with apiVersion, kind and spec")
    found = KINDS[kind].model_validate({**data, "status": {}})
    if found.metadata.name != name:
        raise UnreadableFileError(f"it holds {found.metadata.name!r}, which belongs into {found.metadata.name}.yaml")
    return found


def why(error: Exception, path: Path) -> str:
    """What is wrong with a file, in one line."""
    match error:
        case ValidationError():
            words = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'it'}: {one['msg']}" for one in error.errors()[:3])
        case yaml.MarkedYAMLError() if error.problem_mark is not None:
            words = f"it is no YAML (line {error.problem_mark.line + 1}: {error.problem})"
        case yaml.YAMLError():
            words = f"it is no YAML ({error})"
        case RecursionError():
            words = "it is nested too deeply"
        case _:
            words = str(error).replace(f"{path} ", "it ", 1)
    return printable(" ".join(words.split()))[:500]


def read_status(path: Path, kind: str) -> tuple[str, RolloutStatus | SamplerVariantStatus]:
    """The uid that a status belongs to, and the status; both empty where there is none. What a later version added is
    left out, as a cluster's older types do. Raises one of UNREADABLE."""
    data = files.read_json(path, {})
    uid = data.pop(UID, "") if isinstance(data, dict) else ""
    if not isinstance(uid, str):
        raise UnreadableFileError(f"its {UID} {uid!r:.100} is no text")
    try:
        return uid, STATUSES[kind].model_validate(data)
    except ValidationError as error:
        return uid, STATUSES[kind].model_validate(_without_unknown(data, error))


def _without_unknown(data: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    """What a file held but for fields that this version does not know. Raises the error where more is wrong."""
    faults = error.errors(include_url=False, include_input=False)
    if any(fault["type"] != "extra_forbidden" for fault in faults):
        raise error
    for fault in faults:
        *way, field = fault["loc"]
        within: Any = data
        for step in way:
            within = within[step]
        del within[field]
    return data


def status_text(uid: str, status: RolloutStatus | SamplerVariantStatus) -> str:
    """What the file of a status holds. Raises ValueError: a status that nobody could read again must not replace one
    that can be read."""
    data = status.model_dump(mode="json", by_alias=True)
    type(status).model_validate(data)
    return json.dumps({UID: uid, **data}, indent=1)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Be the only one to write, of all processes. Raises ResourceRefusedError where another one does not let go."""
    with files.append_or_replace(path) as lock:
        _wait(path, lock)
        yield


def _wait(path: Path, lock: IO[bytes]) -> None:
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise ResourceRefusedError(
                    f"another process holds {path} for more than {LOCK_SECONDS:.0f} s, so nothing was written; "
                    "resume or end the `pitwall` command that was stopped (`ps ax` shows it with state T)"
                ) from None
        time.sleep(0.01)
