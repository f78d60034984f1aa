"""What every decoder must do: at each instant the picture that a player shows then, or a word that it cannot."""

import pytest
from films.cases import CASES
from films.numbered import read

from pitwall_runtime.decode.catalogue import DECODERS
from pitwall_runtime.decode.process import decode
from pitwall_runtime.media import PoolSpec


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Each case's film, made when it is first asked for."""
    folder, made = tmp_path_factory.mktemp("films"), {}

    def film(name):
        if name not in made:
            case = CASES[name]
            made[name] = folder / f"{len(made)}.{case.suffix}"
            case.make(made[name])
        return made[name]

    return film


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("backend", DECODERS)
def test_a_pool_holds_what_a_viewer_sees_at_each_second(films, backend, name):
    case, frames = CASES[name], []
    timeline = decode(films(name), PoolSpec(), frames.append, backend=backend)
    seen = [read(frame.image) for frame in frames]

    assert [frame.pts * timeline.time_base for frame in frames] == list(range(len(case.numbers)))
    assert None not in seen, "red stands bottom left and green bottom right"
    assert [one.number for one in seen] == pytest.approx(case.numbers, abs=case.slack)
    assert float(timeline.end_pts * timeline.time_base) == pytest.approx(case.end, abs=0.05)
    assert timeline.damage == ()
    for second, aspect in case.aspects:
        assert seen[second].aspect == pytest.approx(aspect, rel=0.03)
