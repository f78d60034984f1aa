"""What every decoder must do: at each instant the picture that a player shows then. Which videos each can do itself is
said here; all others it leaves to PyAV."""

import pytest
from films.cases import CASES
from films.numbered import read as read_number

from pitwall_crds.variant.variant import DecodeBackend
from pitwall_runtime.errors import BadVariantError, UnsupportedVideoError
from pitwall_runtime.media import TICKS, PoolSpec
from pitwall_runtime.stages.decode.catalogue import DECODERS, build, read
from pitwall_runtime.stages.decode.port import Ended

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]

BY_NUMBER = {
    "plain",
    "sound longer than the pictures, MKV",
    "sound longer than the pictures, WebM",
    "pictures that begin after the sound",
    "a clock that begins at an hour",
    "slides",
    "slides held in a screen recording",
    "irregular times",
    "sixteen B-frames",
    "a thumbnail before the film",
    "a preview beside the film",
}
"""Videos with a time for each picture, and nothing else to be done to them."""

BY_ITSELF = {
    "pyav": set(CASES),
    "torchcodec": BY_NUMBER,
    # Its filters stop at a stream that begins late, and it chooses the stream by itself.
    "decord": BY_NUMBER
    - {"pictures that begin after the sound", "a thumbnail before the film", "a preview beside the film"},
}


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Each case's film, made when it is first asked for."""
    folder, made = tmp_path_factory.mktemp("films"), {}

    def film(name):
        if name not in made:
            case = CASES[name]
            made[name] = folder / f"{len(made)}.{case.suffix}"
            case.make(made[name])
        return str(made[name])

    return film


@pytest.fixture(scope="module")
def usable():
    """The backend; skips one that cannot run here, which says so in words for whoever chose it."""

    def check(backend):
        try:
            return build(backend)
        except BadVariantError as error:
            reason = error.message
        assert f"decode.backend {backend} cannot run here" in reason
        return pytest.skip(reason)

    return check


def test_the_catalogue_and_the_field_name_the_same_decoders():
    assert set(DECODERS) == set(DecodeBackend)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("backend", DECODERS)
def test_a_pool_holds_what_a_viewer_sees_at_each_second(films, usable, backend, name):
    usable(backend)
    if name not in BY_ITSELF.get(backend, CASES):
        pytest.skip("left to PyAV, see the next test")
    case, spec = CASES[name], PoolSpec()
    *frames, ended = read(backend, films(name), spec)
    seen = [read_number(frame.image) for frame in frames]

    assert isinstance(ended, Ended)
    assert [frame.pts for frame in frames] == [second * TICKS for second in range(len(case.numbers))]
    assert None not in seen, "red stands bottom left and green bottom right"
    assert [one.number for one in seen] == pytest.approx(case.numbers, abs=case.slack)
    assert float(ended.end_pts * spec.time_base) == pytest.approx(case.end, abs=0.05)
    assert ended.damage == ()
    for second, aspect in case.aspects:
        assert seen[second].aspect == pytest.approx(aspect, rel=0.03)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("backend", sorted(set(BY_ITSELF) - {"pyav"}))
def test_a_decoder_refuses_what_it_would_show_wrongly_before_its_first_frame(films, usable, backend, name):
    decoder = usable(backend)
    if name in BY_ITSELF[backend]:
        assert sum(1 for _ in decoder.read(films(name), PoolSpec())) == len(CASES[name].numbers) + 1
    else:
        with pytest.raises(UnsupportedVideoError):
            next(decoder.read(films(name), PoolSpec()))
