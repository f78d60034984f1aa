"""A flag's documents in, the run that assigns by them out, from the salt of the split; empty where there is none."""

from collections.abc import Mapping

from pitwall_crds.names import run_of
from pitwall_flags.flag.document import read_split


class RunReader:
    """Reads each document of one flag once."""

    def __init__(self) -> None:
        self._document: object = None
        self._run = ""

    def read(self, document: object) -> str:
        """The run under which this document assigns."""
        if document is not self._document:
            if document != self._document:
                split = read_split(document) if isinstance(document, Mapping) else None
                self._run = run_of(split.salt) if split else ""
            self._document = document
        return self._run
