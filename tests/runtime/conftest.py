"""Fixtures: generated clips, the sample films, variants, and a web server with whatever habits a test gives it."""

import importlib.util
import socket
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pitwall_crds.variant.variant import SamplerVariant

ROOT = Path(__file__).parents[2]
COLOURS = {
    "red": (220, 20, 20),
    "green": (20, 200, 20),
    "blue": (20, 20, 220),
    "yellow": (230, 220, 20),
    "black": (0, 0, 0),
    "white": (255, 255, 255),
}


def write_clip(path: Path, scenes: Sequence[tuple[str, int]], *, rate: int = 8, options: dict[str, str] | None = None):
    """An H.264 clip of one-coloured scenes, (colour, seconds) each."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for colour, seconds in scenes:
            image = np.full((64, 96, 3), COLOURS[colour], np.uint8)
            for _ in range(seconds * rate):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def write_frames_at(path: Path, seconds: Sequence[float]) -> Path:
    """A clip whose frames stand at irregular times, in milliseconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 96, 64, "yuv420p", Fraction(1, 1000)
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, at in enumerate(seconds):
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), number % 250, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(at * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def make_clip():
    """Writes one-coloured scenes."""
    return write_clip


@pytest.fixture(scope="session")
def make_frames_at():
    """Writes frames at irregular times."""
    return write_frames_at


@pytest.fixture(scope="session")
def colours():
    """The colours of the scenes by name."""
    return COLOURS


@pytest.fixture(scope="session")
def clips(tmp_path_factory) -> Path:
    """A media root with clips."""
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="session")
def clip(clips) -> Path:
    """20 s: red 5, green 5, blue 5, yellow 5."""
    return write_clip(clips / "colours.mp4", [("red", 5), ("green", 5), ("blue", 5), ("yellow", 5)])


@pytest.fixture(scope="session")
def fetch_media():
    """The script that fetches the films, as a module."""
    spec = importlib.util.spec_from_file_location("fetch_media", ROOT / "scripts" / "fetch_media.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def film(fetch_media) -> Path:
    """Big Buck Bunny, whole."""
    return fetch_media.fetch(fetch_media.FILMS["bbb"], fetch_media.media_dir())


@pytest.fixture(scope="session")
def bikes(fetch_media) -> Path:
    """Ten natural seconds."""
    return fetch_media.fetch(fetch_media.FILMS["bikes"], fetch_media.media_dir())


@pytest.fixture
def make_variant() -> Callable[..., SamplerVariant]:
    """A variant around a sampler; colours by default, so that no model is loaded."""

    def make(sampler: str = "aks", *, frames: int = 4, encoder: str = "colours", **spec) -> SamplerVariant:
        parameters = spec.pop("parameters", {})
        whole = {
            "sampler": {"name": sampler, "parameters": parameters},
            "maxFrames": frames,
            "encoder": {"name": encoder},
            **spec,
        }
        return SamplerVariant.model_validate({"metadata": {"name": f"{sampler}-v1"}, "spec": whole})

    return make


@pytest.fixture(scope="session")
def write_package() -> Callable[..., Path]:
    """Leaves a package with samplers as pip would: a module, and metadata with its entry points."""

    def write(site: Path, package: str, entries: Mapping[str, str], code: str) -> Path:
        info = site / f"{package}-1.0.dist-info"
        info.mkdir(parents=True)
        (site / f"{package}.py").write_text(textwrap.dedent(code))
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = "\n".join(f"{name} = {package}:{attribute}" for name, attribute in entries.items())
        (info / "entry_points.txt").write_text(f"[pitwall.samplers]\n{lines}\n")
        return site

    return write


Talk = Callable[[socket.socket, "WildServer"], None]


@dataclass
class WildServer:
    """Accepts until the test ends; each path has a talk of its own. `ended` frees talks that wait."""

    listener: socket.socket
    talks: dict[str, Talk] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    open_now: int = 0
    most_at_once: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def url(self, path: str, talk: Talk | bytes | None = None) -> str:
        if isinstance(talk, bytes):
            sent = talk
            self.talks[path] = lambda connection, _: connection.sendall(sent)
        elif talk:
            self.talks[path] = talk
        return f"http://{self.host}{path}"

    def asked(self, path: str) -> list[dict[str, str]]:
        """The headers of every request for `path`."""
        return [headers for asked, headers in self.requests if asked == path]

    def serve(self) -> None:
        while not self.ended.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, self.guard:
            self.open_now += 1
            self.most_at_once = max(self.most_at_once, self.open_now)
            self.guard.release()
            try:
                path, headers = _request(connection)
                self.requests.append((path, headers))
                self.talks[path](connection, self)
            except OSError:
                pass
            finally:
                self.guard.acquire()
                self.open_now -= 1


def _request(connection: socket.socket) -> tuple[str, dict[str, str]]:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(4096)
        if not piece:
            raise OSError("the client left")
        data += piece
    first, *lines = data.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines if ": " in line)
    return first.split(" ")[1], {name.lower(): value for name, value in headers.items()}


@contextmanager
def listening() -> Iterator[WildServer]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        server = WildServer(listener)
        threading.Thread(target=server.serve, daemon=True).start()
        yield server
        server.ended.set()
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def wild() -> Iterator[WildServer]:
    """A web server that answers as its test says, byte by byte, and counts who asks."""
    with listening() as server:
        yield server


@pytest.fixture
def other_wild() -> Iterator[WildServer]:
    """A second one."""
    with listening() as server:
        yield server


@pytest.fixture(scope="module")
def lasting_wild() -> Iterator[WildServer]:
    """One for all tests of a module."""
    with listening() as server:
        yield server
