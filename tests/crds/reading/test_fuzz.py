"""Fuzzers: whatever a file or an object of the API server holds, it is read or refused in words, within bounds.

`make soak` makes PITWALL_FUZZ_INPUTS of each kind; docs/security.md tells of the largest runs.
"""

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness.fuzzing import MANY, any_seed, as_json, fuzz, with_odd_bytes
from harness.odd_resources import TEXTS, odd_object
from pydantic import ValidationError

from pitwall_crds.errors import InvalidResourceError
from pitwall_crds.host.printable import printable
from pitwall_crds.reading.extent import MOST_NODES, extent_fault
from pitwall_crds.reading.faults import first_faults
from pitwall_crds.reading.load import KINDS, LONGEST_LINE, load_file, revision_of
from pitwall_crds.variant.variant import SamplerVariant

YAML_PIECES = (
    b"", b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xc2\x85", b"&a ", b"*a", b"<<: *a", b"!!binary ", b"---\n", b"\t",
    b"? ", b"|\n", b"%YAML 9.9\n", b": ", b"- ", b"'", b'"', b"{", b"[" * 100, b"9" * 5000, b"0x", b"1_0:59", b".nan", b"1e999",
)  # fmt: skip


def odd_file(dice: random.Random) -> bytes:
    """An example's text, or a resource as JSON or YAML, with odd bytes."""
    how = dice.randrange(3)
    if how == 0:
        return with_odd_bytes(with_odd_bytes(dice.choice(TEXTS), dice, YAML_PIECES), dice, YAML_PIECES)
    if how == 1:
        return with_odd_bytes(as_json(odd_object(dice)), dice)
    text = yaml.safe_dump(json.loads(as_json(odd_object(dice))), allow_unicode=True, sort_keys=False)
    return with_odd_bytes(text.encode("utf-8", "surrogatepass"), dice, YAML_PIECES)


def judge_words(words: str) -> None:
    assert words
    assert len(words) <= LONGEST_LINE
    assert printable(words) == words


def judge_file(path: Path, body: bytes) -> None:
    path.write_bytes(body)
    try:
        found = load_file(path)
    except InvalidResourceError as refused:
        assert 0 < len(refused.lines) <= MOST_NODES
        assert all(line.startswith(str(path)) for line in refused.lines)
        for line in refused.lines:
            judge_words(line)
        return
    assert found
    for resource in found:
        judge_read(resource)


def judge_object(body: bytes) -> None:
    """As the operator reads what the API server holds."""
    found = json.loads(body.replace(b"\\ud800", b"\\ufffd"))  # Go holds no halves of characters
    if not isinstance(found, dict) or extent_fault({**found, "metadata": None, "status": None}):
        return
    kind = found.get("kind")
    model = KINDS[kind if isinstance(kind, str) and kind in KINDS else "Rollout"]
    try:
        resource = model.model_validate(found)
    except ValidationError as error:
        faults = first_faults(error, most=4)
        assert faults
        for words in faults:
            judge_words(words)
        return
    judge_read(resource)


def judge_read(resource: Any) -> None:
    """What was read is the same when it is written and read again, and has one revision."""
    text = resource.model_dump_json(by_alias=True)
    assert type(resource).model_validate_json(text) == resource
    json.dumps(resource.to_manifest(), allow_nan=False)
    if isinstance(resource, SamplerVariant):
        assert len(revision_of(resource)) == 12


KINDS_OF_INPUT = ("files", "objects")


def fuzz_kind(kind: str, number: int, folder: Path, *, seed: int) -> None:
    if kind == "files":
        fuzz(kind, odd_file, lambda body: judge_file(folder / "f.yaml", body), number, seed=seed)
    else:
        fuzz(kind, lambda dice: as_json(odd_object(dice)), judge_object, number, seed=seed)


@pytest.mark.parametrize(("kind", "number"), [("files", 60), ("objects", 600)])
def test_some_odd_resources_are_read_or_refused(kind, number, tmp_path):
    fuzz_kind(kind, number, tmp_path, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("kind", KINDS_OF_INPUT)
def test_very_many_odd_resources_are_read_or_refused(kind, tmp_path):
    fuzz_kind(kind, MANY, tmp_path, seed=any_seed())
