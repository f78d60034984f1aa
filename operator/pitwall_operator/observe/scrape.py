"""Scrapes counters straight from the processes' /metrics endpoints, for an operator that runs without Prometheus."""

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from pitwall_crds.host.printable import printable, shortened
from pitwall_operator.observe import bounded_exchange
from pitwall_operator.observe.countable import sample_fault
from pitwall_operator.values.observation import ProcessCounters, Reading, Unseen

TIMEOUT_SECONDS = 3.0
MOST_BYTES = 64 << 20
START_TIME = "process_start_time_seconds"
PREFIX = "pitwall_"
HELP = "# HELP "
LONGEST_WORDS = 300
"""Of why a process cannot be read: the parser's hold the whole line."""
SHAPES_KEPT: Final = 512
LONGEST_KEPT: Final = 1 << 17
"""Characters of a family whose shape is kept in mind: longer ones are read anew each time."""
_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_NUMBER: Final = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?|[+-]Inf|NaN")


def parse(text: str) -> ProcessCounters:
    """A process's samples from the Prometheus text format. Raises ValueError on anything else, on what no process of
    ours can have counted, and where a series is there twice."""
    samples: dict[str, dict[frozenset[tuple[str, str]], tuple[dict[str, str], float]]] = {}
    start_time = 0.0
    for name, labels, value in _samples(text):
        if fault := sample_fault(name, labels, value):
            raise ValueError(fault)
        if name == START_TIME:
            start_time = float(value)
            continue
        series, key = samples.setdefault(name, {}), frozenset(labels.items())
        if key in series:
            raise ValueError(f"{name} has the same labels twice")
        series[key] = labels, float(value)
    return ProcessCounters(start_time, {name: list(series.values()) for name, series in samples.items()})


def _samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Ours, and when the process began."""
    families = _families_of(text)
    if not families:
        yield from _parsed(text)
        return
    for lines, values in families:
        shape = "\n".join(lines)
        for name, labels, at in _series_of(shape) if len(shape) <= LONGEST_KEPT else _parsed(shape):
            value = values[round(at)]
            yield name, labels, int(value) if value.lstrip("-").isdecimal() else float(value)


def _families_of(text: str) -> list[tuple[list[str], list[str]]]:
    """The lines of each family, with the number of its value for each value, and the values; nothing where a line has
    another form than our exporters' have.

    A process shows the same series each time, and to read their names and labels takes twenty times what values take.
    """
    lines, values = list[str](), list[str]()
    families = [(lines, values)]
    for each in text.split("\n"):
        line = each.strip()
        if values and line.startswith(HELP) and not _names(line, lines):
            lines, values = [], []
            families.append((lines, values))
        if line and not line.startswith("#"):
            head, _, value = line.rpartition(" ")
            if not (head.endswith("}") or _NAME.fullmatch(head)) or not _NUMBER.fullmatch(value):
                return []
            values.append(value)
            line = f"{head} {len(values) - 1}"
        lines.append(line)
    return families


def _names(line: str, lines: Sequence[str]) -> bool:
    """Whether what this line is about may be what these are about, so that the parser would take them together."""
    about = line[len(HELP) :].split(maxsplit=1)
    return not about or any(about[0].strip('"') in earlier for earlier in lines)


@lru_cache(maxsize=SHAPES_KEPT)
def _series_of(shape: str) -> tuple[tuple[str, dict[str, str], float], ...]:
    """The series of a family in which each value is the number of its line."""
    return tuple(_parsed(shape))


def _parsed(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == START_TIME or sample.name.startswith(PREFIX):
                    yield sample.name, sample.labels, sample.value
    except IndexError as error:  # of the parser's, where a space that is none of ASCII's stands for a name
        raise ValueError("a line has no name") from error
    except OverflowError as error:
        raise ValueError("a time has hundreds of digits") from error


async def _scrape(client: httpx.AsyncClient, target: str) -> ProcessCounters | Unseen:
    try:
        answer = await bounded_exchange.body(
            client, f"{target}/metrics", seconds=TIMEOUT_SECONDS, most_bytes=MOST_BYTES
        )
        return await asyncio.to_thread(parse, answer.decode(errors="replace"))
    except (httpx.HTTPError, ValueError) as error:
        words = printable(str(error)[:LONGEST_WORDS]) or type(error).__name__
        return Unseen(f"{target}/metrics cannot be read: {shortened(words, LONGEST_WORDS)}")


@dataclass(frozen=True, slots=True)
class DirectReading:
    """What was read at one moment.

    Attributes:
        gateways: what gates weigh: of gateways alone, since a runtime's code may show anything under any name.
        everybody: what people are shown, of runtimes too.
    """

    gateways: Reading
    everybody: Reading


async def scrape(
    client: httpx.AsyncClient, gateways: tuple[str, ...], runtimes: tuple[str, ...]
) -> DirectReading | Unseen:
    """A reading of all processes. A gateway must answer, else nothing is known; a runtime that does not is left out,
    and what it counted meanwhile comes with its next answer."""
    targets = (*gateways, *runtimes)
    answers = await asyncio.gather(*(_scrape(client, target) for target in targets))
    weighed: dict[str, ProcessCounters] = {}
    others: dict[str, ProcessCounters] = {}
    for target, answer in zip(targets, answers, strict=True):
        if isinstance(answer, ProcessCounters):
            sources = weighed if target in gateways else others
            sources[f"{target}@{answer.start_time:.0f}"] = answer
        elif target in gateways:
            return answer
    now = time.time()
    return DirectReading(Reading(now, weighed), Reading(now, {**weighed, **others}))
