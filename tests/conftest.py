"""Keeps tests that share a server in one process, since `make test` runs several processes; no property is timed.

Properties are tried on the same inputs each time, so that a commit passes or fails; `make soak` searches with others.
"""

import gc
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("same", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("search", settings.get_profile("same"), derandomize=False, max_examples=3000)
settings.load_profile("same")

FIRST = (
    "tests/cluster/",
    "tests/e2e/",
    "tests/runtime/pipeline/test_film.py",
    "tests/runtime/stages/answer/test_local.py",
)
"""What takes longest begins first, so that no process is left alone with it at the end."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays to the end: looking for garbage in it, again and again, took as long as the rest."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(FIRST))


def place(nodeid: str) -> str:
    """A test's place: those of one place share a process. The cluster has two, each with a control plane of its own:
    the rollouts that move, with all that moves them, and everything else."""
    file = nodeid.partition("::")[0]
    if not file.startswith("tests/cluster/"):
        return file
    return "rollouts" if file.startswith("tests/cluster/rollouts/") else "resources and nodes"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Places are given out in the order of their files."""
    from xdist.scheduler import LoadScopeScheduling

    class ByPlace(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return place(nodeid)

    return ByPlace(config, log)
