"""A flag's documents in, what they say to everybody out: the run that assigns, who is stable, who may answer for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pitwall_crds.names import Arm, run_of
from pitwall_flags.flag.document import candidate_fallback, read_split


@dataclass(frozen=True, slots=True)
class Substitute:
    """Who may answer stable's questions while stable cannot, and how many at once for each of its pods."""

    variant: str
    questions_per_pod: int


@dataclass(frozen=True, slots=True)
class SaidToAll:
    """What a document says to everybody.

    Attributes:
        run: under which it assigns; empty where it holds no split.
        stable: who serves whoever is nobody's candidate; empty where it does not say.
        substitute: the candidate, where it has users and may answer stable's. A killed flag and one without a candidate
            name nobody.
    """

    run: str = ""
    stable: str = ""
    substitute: Substitute | None = None


class DocumentReader:
    """Reads each document of one flag once."""

    def __init__(self) -> None:
        self._document: object = None
        self._said = SaidToAll()

    def read(self, document: object) -> SaidToAll:
        """What this document says."""
        if document is not self._document:
            if document != self._document:
                self._said = _read(document) if isinstance(document, Mapping) else SaidToAll()
            self._document = document
        return self._said


def _read(document: Mapping[str, Any]) -> SaidToAll:
    split = read_split(document)
    if split is None:
        return SaidToAll(stable=_default(document))
    candidates = (share.variant for share in split.shares if share.arm == Arm.CANDIDATE and share.weight)
    candidate, permitted = next(candidates, ""), candidate_fallback(document)
    substitute = Substitute(candidate, permitted) if candidate and permitted else None
    return SaidToAll(run_of(split.salt), split.variant_of(Arm.STABLE) or "", substitute)


def _default(document: Mapping[str, Any]) -> str:
    """Whom everybody gets while the flag is killed."""
    variants = document.get("variants")
    said = variants.get(Arm.STABLE) if isinstance(variants, Mapping) else None
    return said if isinstance(said, str) else ""
