"""Fuzzers: whatever a file or an object of the API server holds, it is read or refused in words, within bounds.

`make soak` makes PITWALL_FUZZ_INPUTS of each kind; docs/security.md tells of the largest runs.
"""

import json
import random
from pathlib import Path
from typing import Any

import yaml
from harness.fuzzing import as_json, fuzz, seed_of, some_or_many, with_odd_bytes
from harness.odd_resources import TEXTS, odd_object
from pydantic import ValidationError

from pitwall_crds.errors import InvalidResourceError
from pitwall_crds.host.printable import printable
from pitwall_crds.reading.extent import MOST_NODES, extent_fault
from pitwall_crds.reading.faults import first_faults
from pitwall_crds.reading.load import KINDS, LONGEST_LINE, Resource, load_file, revision_of
from pitwall_crds.variant.variant import SamplerVariant

YAML_PIECES = (
    b"", b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xc2\x85", b"&a ", b"*a", b"<<: *a", b"!!binary ",
    b"---\n", b"\t", b"? ", b"|\n", b"%YAML 9.9\n", b": ", b"- ", b"'", b'"', b"{", b"[" * 100, b"9" * 5000, b"0x",
    b"1_0:59", b".nan", b"1e999",
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
    found, refused = read_or_refused(path)
    assert bool(found) != bool(refused)
    assert len(refused) <= MOST_NODES
    for line in refused:
        assert line.startswith(str(path))
        judge_words(line)
    for resource in found:
        judge_read(resource)


def read_or_refused(path: Path) -> tuple[tuple[Resource, ...], tuple[str, ...]]:
    """The resources, or what is said against them."""
    try:
        return load_file(path), ()
    except InvalidResourceError as refused:
        return (), refused.lines


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


@some_or_many(40)
def test_an_odd_file_is_read_or_refused(tmp_path, number):
    fuzz("files", odd_file, lambda body: judge_file(tmp_path / "f.yaml", body), number, seed=seed_of(number))


@some_or_many(300)
def test_an_odd_object_is_read_or_refused(number):
    fuzz("objects", lambda dice: as_json(odd_object(dice)), judge_object, number, seed=seed_of(number))
