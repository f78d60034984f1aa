"""The page of metrics says what prometheus-client's own hand would write, but for when each series began."""

import math

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from pitwall_gateway.counting.exposition import in_text


def own_hand(registry):
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if "_created" not in line]


def test_every_kind_of_family_is_written_alike():
    registry = CollectorRegistry()
    counter = Counter("asked", 'Questions \\ of\na "user"', ["variant", "arm"], registry=registry)
    counter.labels('a "b" \\ c\nd', "stable").inc(2)
    counter.labels("ü", "").inc(1e20)
    Gauge("heat", "Now", registry=registry).set(-math.inf)
    Histogram("took", "Seconds", ["variant"], buckets=(0.5, 1), registry=registry).labels("v").observe(0.7)
    Counter("nothing", "Not counted yet", ["variant"], registry=registry)

    assert in_text(registry).decode().splitlines() == own_hand(registry)


def test_what_is_counted_later_is_written_later():
    registry = CollectorRegistry()
    counter = Counter("asked", "Questions", ["variant"], registry=registry)
    counter.labels("v").inc()
    first = in_text(registry)
    counter.labels("v").inc()

    assert b'asked_total{variant="v"} 1.0\n' in first
    assert b'asked_total{variant="v"} 2.0\n' in in_text(registry)
