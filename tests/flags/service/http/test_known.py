"""What was evaluated this second."""

import pytest

from pitwall_flags.flag.record import Contents
from pitwall_flags.service import publish
from pitwall_flags.service.auth import ALL_FLAGS
from pitwall_flags.service.http import known
from pitwall_flags.service.http.known import Evaluated, KnownEvaluations

FOUND = Evaluated('"flags":[]', '"tag"')
SHOP = frozenset({"shop."})


@pytest.fixture
def snapshot():
    return publish._first(Contents((), 1, 0), "pitwall")


def test_it_is_of_the_same_flags_the_same_roots_and_the_same_second(snapshot):
    now = [7.0]
    evaluations = KnownEvaluations(lambda: now[0])
    evaluations.keep(snapshot, SHOP, b"u", FOUND, 7)

    assert evaluations.find(snapshot, SHOP, b"u") is FOUND
    assert evaluations.find(snapshot, SHOP, b"v") is None
    assert evaluations.find(snapshot, ALL_FLAGS, b"u") is None
    now[0] = 8.0
    assert evaluations.find(snapshot, SHOP, b"u") is None
    evaluations.keep(snapshot, SHOP, b"u", FOUND, 8)
    assert evaluations.find(publish._first(Contents((), 2, 0), "pitwall"), SHOP, b"u") is None


def test_what_began_in_another_second_or_is_too_large_together_is_not_kept(snapshot):
    evaluations, large = KnownEvaluations(lambda: 7.0), Evaluated("x" * (known.MOST_CHARACTERS // 2 + 1), '"x"')
    evaluations.keep(snapshot, SHOP, b"earlier", FOUND, 6)
    evaluations.keep(snapshot, SHOP, b"first", large, 7)
    evaluations.keep(snapshot, SHOP, b"second", large, 7)

    found = [evaluations.find(snapshot, SHOP, sent) for sent in (b"earlier", b"first", b"second")]
    assert found == [None, large, None]
