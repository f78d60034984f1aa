"""Over any history, the counts are what happened."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall_crds.edges import LATENCY_EDGES
from pitwall_crds.names import Arm, Metric, Outcome, Signal
from pitwall_gateway.counting.evidence import EvidenceCounters
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.tally import End

RUNS = ("run-a", "run-b", "run-c")
EDGES = tuple(str(edge) for edge in LATENCY_EDGES)
SHOWN = {
    Metric.EVIDENCE_QUERIES: "outcome",
    Metric.EVIDENCE_WITHIN: "edge",
    Metric.EVIDENCE_BEYOND: "edge",
    Metric.EVIDENCE_ABANDONED: "edge",
    Metric.EVIDENCE_EXCUSED: "sampler_variant",
    Metric.EVIDENCE_QUALITY: "outcome",
}
STEPS = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from([*RUNS, ""]), st.sampled_from([Arm.CANDIDATE, Arm.STABLE])),
    st.tuples(st.just("end"), st.integers(0, 5), st.sampled_from(End)),
    st.tuples(st.just("label"), st.sampled_from(RUNS), st.sampled_from([Outcome.BAD, Outcome.GOOD])),
    st.tuples(st.just("wait"), st.sampled_from([0.0005, 0.2, 1.0, 1.1, 7.0, 70.0])),
    st.tuples(st.just("scrape")),
)
AT_ONCE = (End.EXCUSED, End.KEPT)
"""Ends that count as if the caller had left as soon."""


class CountingProcess:
    """A gateway process, and an account of what happened in it, kept the plain way."""

    def __init__(self, now):
        self.now = now
        self.evidence = EvidenceCounters(lambda: self.now)
        self.open = []
        self.accounts = {}
        self.last = {}

    def ask(self, run, arm):
        waiting = self.evidence.opened(ArmSeries("v", arm, run))
        if run:
            self.begin(run)
            self.accounts[run]["asked", arm] += 1
        self.open.append((waiting, arm, self.now, self.accounts.get(run)))

    def begin(self, run):
        """The run is the present one; the one before it is kept."""
        if run not in self.accounts:
            self.last = {key: value for key, value in self.last.items() if key[0] != run}
        self.accounts[run] = self.accounts.pop(run, Counter())
        if len(self.accounts) > 2:
            del self.accounts[next(iter(self.accounts))]

    def end(self, number, end):
        if self.open:
            waiting, arm, since, account = self.open.pop(number % len(self.open))
            seen = waiting.shown
            self.evidence.closed(waiting, end, self.now - since)
            if account is not None:
                self.tell(account, arm, end, seen, self.now - since)

    def tell(self, account, arm, end, seen, seconds):
        answered = end in (End.ANSWERED, End.FELL_BACK)
        if answered or end is End.FAILED:
            account[Metric.EVIDENCE_QUERIES, arm, "ok" if end is End.ANSWERED else "error"] += 1
        for place, edge in enumerate(LATENCY_EDGES):
            known = place < seen if end in (End.REFUSED, End.UNMEASURED, *AT_ONCE) else seconds > edge
            account[Metric.EVIDENCE_BEYOND, arm, EDGES[place]] += known
            account[Metric.EVIDENCE_WITHIN, arm, EDGES[place]] += answered and seconds <= edge
            left = place >= seen if end in AT_ONCE else end is End.ABANDONED and seconds <= edge
            account[Metric.EVIDENCE_ABANDONED, arm, EDGES[place]] += left
        account[Metric.EVIDENCE_ABANDONED, arm, "+Inf"] += end in (End.ABANDONED, *AT_ONCE)
        account[Metric.EVIDENCE_EXCUSED, arm, "v"] += end is End.EXCUSED

    def label(self, run, outcome):
        self.evidence.quality(ArmSeries("v", Arm.STABLE, run), Signal.FOLLOW_UP, "query", outcome)
        if run in self.accounts:
            self.accounts[run][Metric.EVIDENCE_QUALITY, Arm.STABLE, outcome] += 1

    def wait(self, seconds):
        self.now += seconds

    def scrape(self):
        shown = {}
        for sample in (sample for family in self.evidence.collect() for sample in family.samples):
            labels = sample.labels
            shown[labels["run"], sample.name, labels["arm"], labels[SHOWN[Metric(sample.name)]]] = sample.value
        assert all(shown[key] >= value for key, value in self.last.items() if key[0] in self.accounts), "a count fell"
        self.last = shown
        assert {run for run, *_ in shown} <= set(self.accounts)
        for run in self.accounts:
            found = {tuple(key): value for (of, *key), value in shown.items() if of == run and value}
            assert found == self.happened(run)
            self.is_bounded(run, found)

    def happened(self, run):
        """What the counts of a run must be now: what was told, and how long open questions have waited."""
        account = Counter(self.accounts[run])
        for _, arm, since, of in self.open:
            if of is self.accounts[run]:
                account.update(
                    (Metric.EVIDENCE_BEYOND, arm, str(edge)) for edge in LATENCY_EDGES if self.now - since > edge
                )
        return {key: value for key, value in account.items() if value and key[0] != "asked"}

    def is_bounded(self, run, found):
        for arm in (Arm.CANDIDATE, Arm.STABLE):
            for edge in EDGES:
                sides = (Metric.EVIDENCE_WITHIN, Metric.EVIDENCE_BEYOND)
                assert sum(found.get((side, arm, edge), 0) for side in sides) <= self.accounts[run]["asked", arm]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.lists(STEPS, max_size=40), min_size=1, max_size=3))
def test_whatever_happens_the_last_scrapes_of_all_processes_add_up_to_what_happened(lives):
    """A restarted gateway begins at zero and keeps its own account: if each adds up, so does the sum."""
    now = 1000.0
    for steps in lives:
        process = CountingProcess(now)
        for name, *what in steps:
            getattr(process, name)(*what)
        process.scrape()
        now = process.now
