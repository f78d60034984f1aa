"""Scrapes counters straight from the processes' /metrics endpoints, for an operator that runs without Prometheus."""

import asyncio
import time

import httpx
from prometheus_client.parser import text_string_to_metric_families

from pitwall_operator.observe import exchange
from pitwall_operator.values.observation import ProcessCounters, Reading, Unseen

TIMEOUT_SECONDS = 3.0
MOST_BYTES = 64 << 20
START_TIME = "process_start_time_seconds"
PREFIX = "pitwall_"


def parse(text: str) -> ProcessCounters:
    """A process's samples from the Prometheus text format. Raises ValueError on anything else."""
    samples: dict[str, list[tuple[dict[str, str], float]]] = {}
    start_time = 0.0
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == START_TIME:
                start_time = sample.value
            elif sample.name.startswith(PREFIX):
                samples.setdefault(sample.name, []).append((sample.labels, sample.value))
    return ProcessCounters(start_time=start_time, samples=samples)


async def _scrape(client: httpx.AsyncClient, target: str) -> ProcessCounters | Unseen:
    try:
        answer = await exchange.body(client, f"{target}/metrics", seconds=TIMEOUT_SECONDS, most_bytes=MOST_BYTES)
        return await asyncio.to_thread(parse, answer.decode(errors="replace"))
    except (httpx.HTTPError, ValueError) as error:
        return Unseen(f"{target}/metrics cannot be read: {error or type(error).__name__}")


async def scrape(client: httpx.AsyncClient, gateways: tuple[str, ...], runtimes: tuple[str, ...]) -> Reading | Unseen:
    """A reading of all processes. A gateway must answer, else nothing is known; a runtime that does not is left out,
    and what it counted meanwhile comes with its next answer."""
    targets = (*gateways, *runtimes)
    answers = await asyncio.gather(*(_scrape(client, target) for target in targets))
    sources: dict[str, ProcessCounters] = {}
    for target, answer in zip(targets, answers, strict=True):
        if isinstance(answer, ProcessCounters):
            sources[f"{target}@{answer.start_time:.0f}"] = answer
        elif target in gateways:
            return answer
    return Reading(time=time.time(), sources=sources)
