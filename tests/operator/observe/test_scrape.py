"""Counters straight from /metrics: whatever a process answers, there is a reading or a sentence why not."""

import asyncio
import http.server
import re
import threading
from collections.abc import Callable, Iterator

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall_operator.observe import scrape as scraping
from pitwall_operator.observe.scrape import DirectReading, parse, scrape
from pitwall_operator.values.observation import ProcessCounters, Unseen

GOOD = """
# HELP pitwall_queries_total Questions.
# TYPE pitwall_queries_total counter
pitwall_queries_total{arm="stable",outcome="ok"} 12
pitwall_queries_total{arm="stable",outcome="error"} 1e0
process_start_time_seconds 1700000000.5
python_gc_objects_total 9
"""


@pytest.fixture
def answering() -> Iterator[Callable[..., str]]:
    servers = []

    def start(body: str | bytes, status: int = 200) -> str:
        content = body.encode() if isinstance(body, str) else body

        class ExpositionHandler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                return

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), ExpositionHandler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
async def client():
    async with httpx.AsyncClient(trust_env=False) as made:
        yield made


def test_only_pitwalls_samples_and_the_start_are_kept():
    found = parse(GOOD)

    assert found.start_time == 1_700_000_000.5
    assert found.samples == {
        "pitwall_queries_total": [
            ({"arm": "stable", "outcome": "ok"}, 12.0),
            ({"arm": "stable", "outcome": "error"}, 1.0),
        ]
    }


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('pitwall_x{arm="a', id="a label that does not end"),
        pytest.param("pitwall_x", id="no value"),
        pytest.param("pitwall_x twelve", id="a value that is no number"),
        pytest.param("<html><body>log in</body></html>", id="a login page"),
        pytest.param('{"status": "ok"}', id="JSON"),
        pytest.param("# TYPE pitwall_x wrong\npitwall_x 1", id="a type that nobody knows"),
    ],
)
def test_what_is_no_exposition_is_a_value_error(text):
    with pytest.raises(ValueError):  # noqa: PT011 – the words are the library's
        parse(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param('pitwall_x{arm="a"} NaN', "pitwall_x is nan", id="no number"),
        pytest.param("pitwall_x -1", "pitwall_x is -1", id="below zero"),
        pytest.param("pitwall_x 1e300", "pitwall_x is 1e+300", id="more than a counter reaches"),
        pytest.param("pitwall_x " + "9" * 4000, "hundreds of digits", id="more than a float holds"),
        pytest.param("process_start_time_seconds +Inf", "process_start_time_seconds is inf", id="never begun"),
        pytest.param('pitwall_x_bucket{arm="a"} 1', "label le is no number", id="a bucket without an edge"),
        pytest.param('pitwall_x{a="b"} 1\npitwall_x{a="b"} 1', "the same labels twice", id="a series twice"),
        pytest.param("# HELP \u00a0 1", "a line has no name", id="a line without a name"),
        pytest.param(f"pitwall_x 1 {'9' * 400}", "a time has hundreds of digits", id="a time that no float holds"),
    ],
)
def test_what_nothing_can_have_counted_is_a_value_error_in_words(text, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        parse(text)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='pitwall_x{}=",\\ 019.eE+-#\n', max_size=60))
def test_any_text_is_read_or_refused_and_never_anything_else(text):
    try:
        found = parse(text)
    except ValueError:
        return
    assert isinstance(found, ProcessCounters)


def test_an_empty_exposition_is_a_process_that_has_counted_nothing():
    assert parse("") == ProcessCounters(0.0, {})


async def test_all_processes_make_one_reading_each_by_address_and_start(client, answering):
    gateway, runtime = answering(GOOD), answering("process_start_time_seconds 7")
    seen = await scrape(client, (gateway,), (runtime,))

    assert isinstance(seen, DirectReading)
    assert set(seen.everybody.sources) == {f"{gateway}@1700000000", f"{runtime}@7"}


async def test_gates_weigh_what_gateways_count_and_nothing_that_a_runtime_shows(client, answering):
    gateway, runtime = answering(GOOD), answering('pitwall_users_total{arm="stable"} 500')
    seen = await scrape(client, (gateway,), (runtime,))

    assert isinstance(seen, DirectReading)
    assert set(seen.gateways.sources) == {f"{gateway}@1700000000"}


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        pytest.param(GOOD, 503, "503", id="it is not ready"),
        pytest.param("pitwall_x{", 200, "cannot be read", id="half an exposition"),
        pytest.param(b"\xff\xfe\x00", 200, "cannot be read", id="bytes"),
    ],
)
async def test_a_gateway_that_answers_badly_is_no_reading_and_is_named(client, answering, body, status, words):
    gateway = answering(body, status)
    seen = await scrape(client, (gateway,), (answering(GOOD),))

    assert isinstance(seen, Unseen)
    assert seen.reason.startswith(f"{gateway}/metrics cannot be read")
    assert words in seen.reason


@pytest.mark.parametrize("text", ["pitwall_x{" + "\x1b" * 70_000, "pitwall_x {"], ids=["a long line", "no words"])
async def test_why_a_process_cannot_be_read_is_told_in_printable_words_of_bounded_length(client, answering, text):
    gateway = answering(text)
    seen = await scrape(client, (gateway,), ())

    assert isinstance(seen, Unseen)
    assert seen.reason.isprintable()
    assert 0 < len(seen.reason.removeprefix(f"{gateway}/metrics cannot be read: ")) <= scraping.LONGEST_WORDS


async def test_a_runtime_that_does_not_answer_is_left_out(client, answering):
    gateway = answering(GOOD)
    seen = await scrape(client, (gateway,), ("http://127.0.0.1:9", answering("pitwall_x{")))

    assert isinstance(seen, DirectReading)
    assert set(seen.everybody.sources) == set(seen.gateways.sources) == {f"{gateway}@1700000000"}


async def test_nobody_listens(client):
    seen = await scrape(client, ("http://127.0.0.1:9",), ())

    assert isinstance(seen, Unseen)
    assert "http://127.0.0.1:9/metrics cannot be read: " in seen.reason


async def test_a_process_that_answers_in_drops_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(scraping, "TIMEOUT_SECONDS", 0.3)

    class DrippingPod(httpx.AsyncByteStream):
        async def __aiter__(self):
            while True:
                yield b" "
                await asyncio.sleep(0.01)

    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=DrippingPod()))
    async with httpx.AsyncClient(transport=transport) as dripping, asyncio.timeout(20):
        seen = await scrape(dripping, ("http://gateway",), ())

    assert isinstance(seen, Unseen)
    assert "no whole answer came within 0.3 s" in seen.reason


async def test_a_process_that_answers_without_end_is_not_read(answering, client, monkeypatch):
    monkeypatch.setattr(scraping, "MOST_BYTES", 1000)
    seen = await scrape(client, (answering("#" * 1001),), ())

    assert isinstance(seen, Unseen)
    assert "longer than 1000 bytes" in seen.reason


LINES = st.one_of(
    st.sampled_from(
        [
            "# HELP pitwall_x Questions.",
            "# HELP pitwall_y_bucket Seconds.",
            "# HELP",
            "# TYPE pitwall_x counter",
            "# TYPE pitwall_y histogram",
            "",
            "  # a remark",
            'pitwall_y_bucket{le="+Inf"} +Inf',
            'pitwall_x{a="b c} 7"} 5',
            "pitwall_x 1 1700000000000",
            "process_start_time_seconds 1.7e9",
            "pitwall_x\t4",
            'pitwall_x {a="1"} 4',
            "{pitwall_x} 4",
            "pitwall_x 1_000",
        ]
    ),
    st.builds(
        "pitwall_{}{} {}".format,
        st.sampled_from(["x", "x_total", "y_bucket", "y_count"]),
        st.sampled_from(["", "{}", '{a="1"}', '{a="1",le="2"}', '{a="} 9"}', '{a="\\"}"}', "{a}"]),
        st.sampled_from(["0", "12", "0.5", "1e3", "-1", "NaN", "+Inf", "9" * 25, "x"]),
    ),
)


def told(read: Callable[[str], object], text: str) -> object:
    """What is read, or that it is refused."""
    try:
        return read(text)
    except ValueError:
        return ValueError


@given(st.lists(LINES, max_size=8).map("\n".join), st.sampled_from(["0", "3", "2.5"]))
def test_a_shape_that_is_known_is_read_as_the_library_reads_it(text, other):
    """Once as it is, and once with other values, whose shape is known by then."""
    for one in (text, re.sub(r"(?m) 12$", f" {other}", text)):
        by_library = told(lambda given: [*map(repr, scraping._parsed(given))], one)
        assert told(lambda given: [*map(repr, scraping._samples(given))], one) == by_library


def test_what_is_kept_in_mind_is_bounded():
    for number in range(2 * scraping.SHAPES_KEPT):
        parse(f'pitwall_x{{a="{number}"}} 1')
    assert scraping._series_of.cache_info().currsize <= scraping.SHAPES_KEPT

    before = scraping._series_of.cache_info().misses
    long = "\n".join(f'pitwall_x{{a="{number}"}} 1' for number in range(scraping.LONGEST_KEPT // 16))
    assert len(parse(long).samples["pitwall_x"]) == scraping.LONGEST_KEPT // 16
    assert scraping._series_of.cache_info().misses == before


def page(series, families=2):
    lines = []
    for family in range(families):
        lines += [f"# HELP pitwall_{family}_total Some", f"# TYPE pitwall_{family}_total counter"]
        lines += [f'pitwall_{family}_total{{edge="{number}"}} {number + family}' for number in range(series)]
    return "\n".join(lines) + "\n"


def test_a_new_series_has_no_other_family_read_anew():
    parse(page(5, families=20))
    before = scraping._series_of.cache_info().misses
    assert len(parse(page(5, families=20) + 'pitwall_19_total{edge="new"} 1\n').samples["pitwall_19_total"]) == 6

    assert scraping._series_of.cache_info().misses - before == 1
