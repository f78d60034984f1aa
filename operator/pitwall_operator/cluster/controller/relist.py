"""Lists the API server's objects into the cache as a replica begins to lead, and compares the two now and then."""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from pitwall_operator.kube.cache import CACHED, OWNED, Cache, key_of, version_of
from pitwall_operator.kube.client import Kind, Kube, Object
from pitwall_operator.turn.one_by_one import OneByOne
from pitwall_operator.values.errors import KubeNotFoundError, KubeUnreachableError
from pitwall_operator.values.object_key import Key

OWN_SELECTOR: Final = "app.kubernetes.io/managed-by=pitwall"


@dataclass(frozen=True, slots=True)
class Relist:
    """What no watch tells, or told while nobody listened.

    Attributes:
        namespaces: those that are watched; none are all.
        each: remembers at which object something broke.
        changed: told of an object that the watches missed.
        gone: told of one that the cache had and the API server has no more.
    """

    kube: Kube
    cache: Cache
    namespaces: tuple[str, ...]
    each: OneByOne
    changed: Callable[[Kind, Object], None]
    gone: Callable[[Kind, Object], None]

    async def list_all(self) -> None:
        """Everything as it is now: what the watches brought may lack what happened while nobody watched."""
        for kind in CACHED:
            for namespace in self.namespaces or ("",):
                listed: set[Key] = set()
                version = 0
                async for page in self.pages(kind, namespace):
                    version = int(page["metadata"]["resourceVersion"])
                    for item in page["items"]:
                        listed.add(key_of(item))
                        with self.each.about(f"{kind.name} {named(item)}"):
                            self.cache.put(kind, item)
                self._drop_missing(kind, listed, version, namespace)

    async def compare(self) -> None:
        """Find what the watches missed, by the names and versions of all objects."""
        for kind in CACHED:
            for namespace in self.namespaces or ("",):
                listed: set[Key] = set()
                version = 0
                async for page in self.pages(kind, namespace, heads=True):
                    version = int(page["metadata"]["resourceVersion"])
                    for head in page["items"]:
                        listed.add(key_of(head))
                        with self.each.about(f"{kind.name} {named(head)}", but=(KubeUnreachableError,)):
                            await self._catch_up(kind, head)
                self._drop_missing(kind, listed, version, namespace)

    async def _catch_up(self, kind: Kind, head: Object) -> None:
        known = self.cache.get(kind, key_of(head))
        if known is None or version_of(known) < version_of(head):
            with contextlib.suppress(KubeNotFoundError):  # deleted since it was listed: the watches tell
                self.changed(kind, await self.kube.get(kind, *key_of(head)))

    def _drop_missing(self, kind: Kind, listed: set[Key], version: int, namespace: str) -> None:
        for key in self.cache.missing_from(kind, listed, version, namespace):
            known = self.cache.drop(kind, key, version)
            if known is not None:
                self.gone(kind, known)

    def pages(self, kind: Kind, namespace: str, *, heads: bool = False) -> AsyncIterator[Object]:
        """The lists of a kind; of what the operator makes, its own alone. With `heads`, of metadata alone."""
        selector = OWN_SELECTOR if kind in OWNED else ""
        return self.kube.pages(kind, namespace, selector, heads=heads)


def named(found: Object) -> str:
    """Namespace and name, as people read it."""
    return "/".join(key_of(found))
