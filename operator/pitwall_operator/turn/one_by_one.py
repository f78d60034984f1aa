"""Goes through what belongs to many, one by one: what breaks at one is logged once and stops no other."""

import logging
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

log = logging.getLogger(__name__)

REMEMBERED: Final = 1024
"""Of so many it is known that they broke; one that was forgotten is logged again."""


@dataclass(slots=True)
class OneByOne:
    """What broke at which of them, until it goes well again."""

    _told: OrderedDict[str, str] = field(default_factory=OrderedDict)

    @contextmanager
    def about(self, what: str, *, but: tuple[type[Exception], ...] = ()) -> Iterator[None]:
        """Let nothing that breaks in here stop the others, `but` what concerns them all."""
        try:
            yield
        except but:
            raise
        except Exception as error:
            words = f"{type(error).__name__}: {error}"
            if self._told.get(what) != words:
                log.exception("%s: this broke, and is left as it is; the others go on", what)
            self._told[what] = words
            while len(self._told) > REMEMBERED:
                self._told.popitem(last=False)
        else:
            self._told.pop(what, None)
