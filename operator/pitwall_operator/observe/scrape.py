"""Scrapes counters straight from the processes' /metrics endpoints, for an operator that runs without Prometheus."""

import asyncio
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from pitwall_crds.host.printable import printable, shortened
from pitwall_operator.observe import exchange
from pitwall_operator.observe.countable import sample_fault
from pitwall_operator.values.observation import ProcessCounters, Reading, Unseen

TIMEOUT_SECONDS = 3.0
MOST_BYTES = 64 << 20
START_TIME = "process_start_time_seconds"
PREFIX = "pitwall_"
LONGEST_WORDS = 300
"""Of why a process cannot be read: the parser's hold the whole line."""
SHAPES_KEPT: Final = 32
LONGEST_KEPT: Final = 1 << 20
"""Characters of a text whose shape is kept in mind: whoever shows more is read anew each time."""
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
    shape, values = _shape_of(text)
    if not shape:
        yield from _parsed(text)
        return
    for name, labels, at in _series_of(shape):
        value = values[round(at)]
        yield name, labels, int(value) if value.lstrip("-").isdecimal() else float(value)


def _shape_of(text: str) -> tuple[tuple[str, ...], list[str]]:
    """All lines without their values, and the values; nothing where a line has another form than our exporters' have.

    A process shows the same series each time, and to read their names and labels takes twenty times what values take.
    """
    shape, values = [], []
    if len(text) > LONGEST_KEPT:
        return (), []
    for each in text.split("\n"):
        line = each.strip()
        if line and not line.startswith("#"):
            head, _, value = line.rpartition(" ")
            if not (head.endswith("}") or _NAME.fullmatch(head)) or not _NUMBER.fullmatch(value):
                return (), []
            values.append(value)
            line = f"{head} {len(values) - 1}"
        shape.append(line)
    return tuple(shape), values


@lru_cache(maxsize=SHAPES_KEPT)
def _series_of(shape: tuple[str, ...]) -> tuple[tuple[str, dict[str, str], float], ...]:
    """The series of a text in which each value is the number of its line."""
    return tuple(_parsed("\n".join(shape)))


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
        answer = await exchange.body(client, f"{target}/metrics", seconds=TIMEOUT_SECONDS, most_bytes=MOST_BYTES)
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
