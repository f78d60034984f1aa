"""What gates weigh is counted by run, shows stalls while they last, and never falls."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from pitwall_crds.edges import LATENCY_EDGES
from pitwall_crds.metrics import SERIES
from pitwall_crds.names import Arm, Metric, Outcome, Quantity, Signal
from pitwall_gateway.counting.evidence import SERIES_PER_RUN, EvidenceCounters
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.tally import End
from pitwall_gateway.counting.telemetry import GatewayTelemetry
from pitwall_gateway.values.answer import VariantAnswer

A, B, C = "run-a", "run-b", "run-c"
SECOND = next(str(edge) for edge in LATENCY_EDGES if edge >= 1.0)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def evidence(clock):
    return EvidenceCounters(clock)


def candidate(run):
    return ArmSeries("aks-v2", Arm.CANDIDATE, run)


def scraped(evidence):
    """Name and labels → value, as Prometheus reads them."""
    registry = CollectorRegistry()
    registry.register(evidence)
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def total(samples, metric, **labels):
    return sum(
        value for (name, found), value in samples.items() if name == metric and labels.items() <= dict(found).items()
    )


def ask(evidence, series, seconds, end=End.ANSWERED):
    evidence.closed(evidence.opened(series), end, seconds)


def test_every_name_and_label_is_the_promised_one(evidence):
    ask(evidence, candidate(A), 0.3)
    ask(evidence, candidate(A), 0.3, End.ABANDONED)
    ask(evidence, candidate(A), 0.3, End.EXCUSED)
    evidence.measured(candidate(A), VariantAnswer(b"", {}, 0.3, 5, "cold", 0.1, 0.2))
    evidence.quality(candidate(A), Signal.FOLLOW_UP, "query", Outcome.BAD)
    evidence.pair(candidate(A), Outcome.OK)
    evidence.ratio(candidate(A), Quantity.TOKENS, 1.0)

    labels = {name: {key for key, _ in found} for name, found in scraped(evidence)}

    counters = {metric for metric in Metric if metric.name.startswith("EVIDENCE") and metric.endswith("_total")}
    counters -= {Metric.EVIDENCE_ONE_USER}  # whose trials they are, shares know
    assert labels == {metric: set(SERIES[metric].labels) for metric in counters}


def test_an_answer_counts_within_the_edges_it_kept_and_beyond_those_it_broke(evidence):
    ask(evidence, candidate(A), 0.3)

    samples = scraped(evidence)

    assert total(samples, Metric.EVIDENCE_QUERIES, run=A, arm="candidate", outcome="ok") == 1
    for edge in LATENCY_EDGES:
        label = {"quantity": "latency", "edge": str(edge)}
        assert total(samples, Metric.EVIDENCE_WITHIN, **label) == (edge >= 0.3)
        assert total(samples, Metric.EVIDENCE_BEYOND, **label) == (edge < 0.3)


def test_the_text_of_a_scrape_says_what_the_series_say(clock):
    """Variants and runs may hold anything; the text is written by a faster hand than prometheus-client's."""
    telemetry = GatewayTelemetry()
    odd = ArmSeries('a "quoted"\\variant', Arm.STABLE, "run\n1")
    ask(telemetry.evidence, odd, 0.3)
    telemetry.evidence.measured(odd, VariantAnswer(b"", {}, 0.3, 123_456_789, "cold", 1e-9, 0.1))

    families = text_string_to_metric_families(telemetry.text().decode())

    samples = [sample for family in families for sample in family.samples if "evidence" in sample.name]
    told = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert told == scraped(telemetry.evidence)


def test_a_question_at_an_edge_is_within_it(evidence):
    ask(evidence, candidate(A), LATENCY_EDGES[40])

    assert total(scraped(evidence), Metric.EVIDENCE_WITHIN, edge=str(LATENCY_EDGES[40])) == 1


def test_an_open_question_counts_beyond_an_edge_as_soon_as_it_is_older(evidence, clock):
    waiting = evidence.opened(candidate(A))
    clock.now += 0.9
    early = total(scraped(evidence), Metric.EVIDENCE_BEYOND, edge=SECOND)
    clock.now += 0.3
    late = scraped(evidence)
    evidence.closed(waiting, End.ANSWERED, 1.2)

    assert (early, total(late, Metric.EVIDENCE_BEYOND, edge=SECOND)) == (0, 1)
    assert total(late, Metric.EVIDENCE_WITHIN) == 0
    assert total(scraped(evidence), Metric.EVIDENCE_BEYOND, edge=SECOND) == 1


@pytest.mark.parametrize(
    ("end", "beyond", "errors"),
    [
        pytest.param(End.FELL_BACK, 1, 1, id="stable-answered-instead"),
        pytest.param(End.FAILED, 1, 1, id="nobody-answered"),
        pytest.param(End.ABANDONED, 1, 0, id="the-client-left"),
        pytest.param(End.REFUSED, 0, 0, id="the-question-was-at-fault"),
    ],
)
def test_a_question_without_an_answer_of_its_variant_is_known_to_have_waited(evidence, end, beyond, errors):
    ask(evidence, candidate(A), 2.0, end)

    samples = scraped(evidence)

    assert total(samples, Metric.EVIDENCE_BEYOND, edge=SECOND) == beyond
    assert total(samples, Metric.EVIDENCE_QUERIES, outcome="error") == errors
    assert total(samples, Metric.EVIDENCE_QUERIES, outcome="ok") == 0


@pytest.mark.parametrize(("end", "left"), [(each, each in (End.ABANDONED, End.EXCUSED, End.KEPT)) for each in End])
def test_who_leaves_is_counted_after_its_wait_and_what_is_excused_at_once(evidence, end, left):
    ask(evidence, candidate(A), 2.0, end)

    samples = scraped(evidence)

    assert total(samples, Metric.EVIDENCE_ABANDONED, edge=SECOND) == (end in (End.EXCUSED, End.KEPT))
    assert total(samples, Metric.EVIDENCE_ABANDONED, edge="+Inf") == left
    assert total(samples, Metric.EVIDENCE_EXCUSED) == (end is End.EXCUSED)


def test_a_call_measured_shorter_than_it_was_seen_to_wait_counts_as_it_was_seen(evidence, clock):
    waiting = evidence.opened(candidate(A))
    clock.now += 1.2
    before = total(scraped(evidence), Metric.EVIDENCE_BEYOND)
    evidence.closed(waiting, End.ANSWERED, 0.1)

    assert total(scraped(evidence), Metric.EVIDENCE_BEYOND) == before


@pytest.mark.parametrize("end", [End.REFUSED, End.ABANDONED])
def test_what_a_scrape_has_shown_of_an_uncounted_question_stays(evidence, clock, end):
    waiting = evidence.opened(candidate(A))
    clock.now += 1.2
    scraped(evidence)
    evidence.closed(waiting, end, 1.2)
    clock.now += 100

    samples = scraped(evidence)

    assert total(samples, Metric.EVIDENCE_BEYOND, edge=SECOND) == 1
    assert total(samples, Metric.EVIDENCE_BEYOND, edge=str(LATENCY_EDGES[-1])) == 0
    assert total(samples, Metric.EVIDENCE_WITHIN) == 0


def test_what_an_answer_does_not_tell_is_not_counted(evidence):
    ask(evidence, candidate(A), 0.3)
    evidence.measured(candidate(A), VariantAnswer(b"", {}, 0.3))
    evidence.measured(candidate(A), VariantAnswer(b"", {}, 0.3, 0, "lukewarm", 0.25, None))

    samples = scraped(evidence)

    assert total(samples, Metric.EVIDENCE_VALUED, quantity="tokens") == 1
    assert total(samples, Metric.EVIDENCE_VALUE, quantity="tokens") == 0
    assert total(samples, Metric.EVIDENCE_VALUE, quantity="selection") == 0.25
    assert total(samples, Metric.EVIDENCE_VALUED, quantity="encoder") == 0
    assert total(samples, Metric.EVIDENCE_CACHE_QUERIES) == 0
    edges = [total(samples, side, quantity="selection") for side in (Metric.EVIDENCE_WITHIN, Metric.EVIDENCE_BEYOND)]
    assert min(edges) > 0


def test_a_question_without_a_run_is_nobodys_evidence(evidence):
    ask(evidence, candidate(""), 0.3)
    evidence.quality(candidate(""), Signal.FOLLOW_UP, "query", Outcome.BAD)

    assert scraped(evidence) == {}


def runs(evidence):
    return {dict(labels)["run"] for _, labels in scraped(evidence)}


def test_a_new_run_begins_at_zero_and_the_last_one_takes_late_labels(evidence):
    ask(evidence, candidate(A), 0.3)
    ask(evidence, candidate(B), 0.3)
    evidence.quality(candidate(A), Signal.THUMBS_DOWN, "user", Outcome.BAD)

    samples = scraped(evidence)

    assert total(samples, Metric.EVIDENCE_QUERIES, run=B) == 1
    assert total(samples, Metric.EVIDENCE_QUALITY, run=A, signal="thumbs_down", unit="user", outcome="bad") == 1


def test_a_third_run_drops_the_oldest_and_what_comes_for_it_is_forgotten(evidence, clock):
    waiting = evidence.opened(candidate(A))
    for run in (B, C):
        ask(evidence, candidate(run), 0.3)
    evidence.quality(candidate(A), Signal.THUMBS_DOWN, "query", Outcome.BAD)
    evidence.measured(candidate(A), VariantAnswer(b"", {}, 0.3, 5))
    evidence.closed(waiting, End.ANSWERED, 0.3)

    assert runs(evidence) == {B, C}


def test_a_flag_that_flaps_between_two_runs_keeps_both(evidence):
    for run in (A, B) * 20:
        ask(evidence, candidate(run), 0.3)

    samples = scraped(evidence)

    assert [total(samples, Metric.EVIDENCE_QUERIES, run=run) for run in (A, B)] == [20, 20]


def test_the_run_that_was_present_last_stays_when_another_begins(evidence):
    for run in (A, B, A, C):
        ask(evidence, candidate(run), 0.3)

    assert runs(evidence) == {A, C}


def test_copies_of_another_run_never_push_the_present_run_out(evidence):
    for run in (A, B):
        ask(evidence, candidate(run), 0.3)
    for number in range(5):
        evidence.copied(ArmSeries("air-v1", Arm.SHADOW, f"shadow-{number}"))

    assert runs(evidence) == {B, "shadow-4"}


def test_memory_is_bounded_whatever_the_flags_say(evidence):
    for number in range(200):
        ask(evidence, ArmSeries(f"variant-{number}", Arm.CANDIDATE, A), 0.3)
        ask(evidence, ArmSeries("aks-v2", Arm.CANDIDATE, f"run-{number}"), 0.3)
        ask(evidence, ArmSeries(f"variant-{number}", Arm.CANDIDATE, A), 0.3)

    found = {
        tuple(sorted(dict(labels).items())) for name, labels in scraped(evidence) if name == Metric.EVIDENCE_QUERIES
    }
    assert len(runs(evidence)) == 2
    assert len(found) <= 2 * 2 * SERIES_PER_RUN
