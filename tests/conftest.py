"""Which tests stay in one process, so that what they share is started once. `make test` runs several processes."""

from typing import Any

import pytest

MOVING = ("clocks", "crashes", "faults", "finalizers", "scenarios", "watches")
"""Files of tests/cluster whose rollouts move on a pretended node."""


def place(nodeid: str) -> str:
    """A test's place: those of one place share a process. The cluster has two, each with a control plane of its own."""
    file = nodeid.partition("::")[0]
    if not file.startswith("tests/cluster/"):
        return file
    return (
        "rollouts" if file.removeprefix("tests/cluster/test_").removesuffix(".py") in MOVING else "resources and nodes"
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Places are given out in the order of their files: the cluster's, which take longest, near the beginning."""
    from xdist.scheduler import LoadScopeScheduling

    class ByPlace(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return place(nodeid)

    return ByPlace(config, log)
