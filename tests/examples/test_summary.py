"""Summaries of what users saw."""

from examples.demo.asking import Reply
from examples.demo.summary import summarize
from examples.demo.users import DemoExchange


def test_a_summary_is_of_answers_only() -> None:
    def exchange(latency: float, satisfied: bool | None, error: str = "") -> DemoExchange:
        reply = Reply(latency, arm="stable", variant="u", error=error)
        return DemoExchange(0.0, "u", "s", "q", False, reply, satisfied, 0.0)

    (row,) = summarize([exchange(n / 100, n % 2 == 0) for n in range(1, 101)] + [exchange(99.0, None, "timeout")])

    assert (row.answers, row.p50_seconds, row.p99_seconds, row.satisfied_share) == (100, 0.5, 0.99, 0.5)
