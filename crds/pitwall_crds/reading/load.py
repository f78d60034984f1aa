"""Loads and validates SamplerVariants and Rollouts from YAML, or reports every problem at once."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from pitwall_crds import names
from pitwall_crds.errors import InvalidResourceError, MalformedYamlError
from pitwall_crds.host.printable import printable, shortened
from pitwall_crds.reading.extent import extent_fault
from pitwall_crds.reading.parse import MAXIMUM_BYTES, Document, parse_documents
from pitwall_crds.reading.problems import Problem, floats_in, problems_of, shown, suggestion
from pitwall_crds.resource import Border
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.variant.variant import SamplerVariant

Resource = SamplerVariant | Rollout

KINDS: Final[dict[str, type[SamplerVariant] | type[Rollout]]] = {"SamplerVariant": SamplerVariant, "Rollout": Rollout}

LONGEST_LINE: Final = 4096
"""Characters of what is said of one problem, with the path of its file."""


@dataclass(frozen=True, slots=True)
class _Invalid:
    """What is wrong with one document."""

    title: str
    problems: tuple[Problem, ...]


def load_resources(text: str, *, source: str) -> tuple[Resource, ...]:
    """The resources of a YAML stream in its order. `source` names the file in messages. Raises InvalidResourceError."""
    try:
        documents = parse_documents(text)
    except MalformedYamlError as error:
        place = f":{error.line}:{error.column}" if error.line else ""
        raise InvalidResourceError([f"{source}{place}: {error.message}"]) from None
    if not documents:
        raise InvalidResourceError([f"{source}: holds no resource; write a SamplerVariant or a Rollout into it"])
    read = [_read(document) for document in documents]
    resources = [result for result in read if not isinstance(result, _Invalid)]
    lines = [
        line for document, result in zip(documents, read, strict=True) for line in _lines(source, document, result)
    ]
    lines += [f"{source}: {words}" for words in _repeated(resources)]
    if lines:
        raise InvalidResourceError(lines)
    return tuple(resources)


def load_file(path: Path) -> tuple[Resource, ...]:
    """The resources of a file. Raises InvalidResourceError, also where the file cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(MAXIMUM_BYTES + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise InvalidResourceError(
            [f"{path}: cannot be read ({error.strerror}); check the path and its permissions"]
        ) from None
    except UnicodeDecodeError as error:
        raise InvalidResourceError([f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8 text"]) from None
    return load_resources(text, source=str(path))


def spec_hash(spec: Border) -> str:
    """A revision: 12 hex digits of the SHA-256 of the spec's canonical JSON.

    Defaults are left out, so a field that a later version adds, or that the API server fills in, changes no revision.
    """
    canonical = json.dumps(spec.to_yaml_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def revision_of(variant: SamplerVariant) -> str:
    """What a variant's pods run. The number of replicas, and who sets it, is left out: scaling is no new revision."""
    runtime = variant.spec.runtime.model_copy(update={"replicas": 1, "scaling": None})
    return spec_hash(variant.spec.model_copy(update={"runtime": runtime}))


def _read(document: Document) -> Resource | _Invalid:
    data = document.data
    if not isinstance(data, dict):
        return _Invalid("document", (Problem((), f"{shown(data)} must be a mapping with apiVersion, kind and spec"),))
    title = _title(data)
    foreign = _foreign(data)
    if foreign is not None:
        return _Invalid(title, (foreign,))
    model = KINDS[data["kind"]]
    wanted = {key: value for key, value in data.items() if key != "status"}  # the operator's, as on an API server
    if fault := extent_fault(wanted):
        return _Invalid(title, (Problem((), fault),))
    floats = tuple(floats_in(wanted))
    if floats:
        return _Invalid(title, floats)
    try:
        # Strict JSON, as the API server reads it: "2" is no integer and 1 is no boolean.
        return model.model_validate_json(json.dumps(wanted), strict=True)
    except ValidationError as error:
        return _Invalid(title, problems_of(error.errors(), wanted, model))


def _title(data: dict[str, Any]) -> str:
    """How messages call a document: its kind and name as far as it has them."""
    metadata = data.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    kind = data.get("kind")
    words = [shown(word).strip('"') for word in (kind, name) if isinstance(word, str)]  # control characters escaped
    return "/".join(words) or "document"


def _foreign(data: dict[str, Any]) -> Problem | None:
    """Why this document is not one of ours, if it is not."""
    kind, version = data.get("kind"), data.get("apiVersion")
    if version is None:
        return Problem(("apiVersion",), f'is required; write "apiVersion: {names.API_VERSION}"')
    if version != names.API_VERSION:
        return Problem(
            ("apiVersion",), f'{shown(version)} must be "{names.API_VERSION}"; correct it or move it elsewhere'
        )
    if kind is None:
        return Problem(("kind",), f"is required; write one of {', '.join(KINDS)}")
    if not isinstance(kind, str) or kind not in KINDS:
        return Problem(("kind",), f"{shown(kind)} is not a kind of {names.GROUP}{suggestion(str(kind), list(KINDS))}")
    return None


def _lines(source: str, document: Document, result: Resource | _Invalid) -> Iterator[str]:
    if not isinstance(result, _Invalid):
        return
    for problem in result.problems:
        field = f"{problem.field}: " if problem.path else ""
        words = f"{source}:{document.line(problem.path)}: {result.title}: {field}{problem.message}"
        yield shortened(printable(words[:LONGEST_LINE]), LONGEST_LINE)  # a field's name may be anything, of any length


def _repeated(resources: list[Resource]) -> Iterator[str]:
    counts = Counter((each.kind, each.metadata.namespace, each.metadata.name) for each in resources)
    for (kind, namespace, name), count in counts.items():
        if count > 1:
            yield f"{kind}/{name} stands {count} times for namespace {namespace}; rename or remove the others"
