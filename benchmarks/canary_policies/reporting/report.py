"""Writes the results as JSON, Markdown and plots."""

import json
from pathlib import Path

from benchmarks.canary_policies.reporting.plots import draw
from benchmarks.canary_policies.reporting.targets import targets

COLUMNS = {
    "policy": "policy",
    "false_rollback": "false rollback",
    "missed": "missed",
    "inconclusive": "inconclusive",
    "seconds_to_off_p50": "s to off",
    "users_exposed_p50": "users exposed",
    "seconds_to_promote_p50": "s to promote",
}
SHARES = ("false_rollback", "missed", "inconclusive")
USUAL = "limit ×"
"""Rows with another limit than the usual one are in the JSON only."""
NOTE = """\
`python -m benchmarks.canary_policies`, {runs} runs per cell, fixed seeds. Peers check once a minute; their fixed limits
are 1.25 × the stable's true value (1 % for errors), known without error. All watch 30 min; in the ramp Pitwall moves on
proof and peers by the clock, 10 min per weight. Shares in percent with 95 % intervals. Inconclusive: neither flagged
off nor promoted in 60 min (ramp: 120 min, peers 30 min). rps is the whole service's traffic."""
WHY = """\
Why the exposure promise is broken where it is: no test can prove p99 × 2 (8.3 % slow queries instead of 0.9 %) at e
= 200 with fewer than 152 queries on average against a control of equal size, or 48 against a control known exactly
(ln 200 divided by the KL divergence of one query). A peer that happens to be tuned to the true p99, on traffic that
never drifts, looks after one minute, which exposes 60 queries at 1 % and 600 at 10 % of 100 rps. Once traffic
drifts, spikes and comes in clumps, such a limit alarms on identical variants; the peers that then still keep 1 %
expose several times as many. "Shared control" is Query mode where the control answers from stable's pods: it then
compares with all of stable, which comes near the second bound. It is wrong for whatever is correlated or starts cold,
as a dedicated control's rows show; and blocks need an arm of equal size."""


def write(rows: list[dict], needed: list[dict], folder: Path, seconds: float) -> list[dict]:
    """Writes canary_policies.{json,md} and the plots; returns the targets."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = targets(rows)
    (folder / "canary_policies.json").write_text(_json(rows, needed, kept, seconds))
    (folder / "canary_policies.md").write_text(markdown(rows, needed, kept))
    draw(rows, folder)
    return kept


def _json(rows: list[dict], needed: list[dict], kept: list[dict], seconds: float) -> str:
    """One row per line, so that a change of the table can be read as a difference."""
    lines = {
        name: ",\n".join(json.dumps(line, ensure_ascii=False) for line in group)
        for name, group in (("targets", kept), ("proofs", needed), ("rows", rows))
    }
    parts = ",\n".join(f'"{name}": [\n{text}]' for name, text in lines.items())
    return f'{{"seconds": {seconds:.0f},\n{parts}}}\n'


def markdown(rows: list[dict], needed: list[dict], kept: list[dict]) -> str:
    """The table as people read it: targets first, then one section per scenario and traffic."""
    lines = [
        "# Canary policies on the same traffic",
        "",
        NOTE.format(runs=rows[0]["runs"]),
        "",
        "| promise | promised | measured | kept |",
        "|---|---|---|---|",
        *(f"| {t['name']} | {t['promised']} | {t['measured']} | {'yes' if t['kept'] else '**no**'} |" for t in kept),
    ]
    lines += ["", WHY, "", "## Trials per arm until proof, in blocks of 50", "", *_proofs(needed)]
    for section, found in _sections(rows).items():
        lines += ["", f"## {section}", "", f"| {' | '.join(COLUMNS.values())} |", "|---" * len(COLUMNS) + "|"]
        lines += ["| " + " | ".join(_cell(row, column) for column in COLUMNS) + " |" for row in found]
    return "\n".join(lines) + "\n"


def _proofs(needed: list[dict]) -> list[str]:
    def told(trials: float | None) -> str:
        return "–" if trials is None else f"{trials:.0f}"

    head = ["| truth, and what is to be proven | dependence | median | nine of ten |", "|---|---|---|---|"]
    return head + [
        f"| {one['question']} | {one['dependence']} | {told(one['trials_p50'])} | {told(one['trials_p90'])} |"
        for one in needed
    ]


def _sections(rows: list[dict]) -> dict[str, list[dict]]:
    sections: dict[str, list[dict]] = {}
    for row in rows:
        if USUAL not in row["policy"]:
            name = f"{row['scenario']} ({row['truth']}), {row['weight']} of {row['rps']:g} rps"
            sections.setdefault(name, []).append(row)
    return sections


def _cell(row: dict, column: str) -> str:
    value = row[column]
    if column in SHARES:
        low, high = row[f"{column}_95"]
        return f"{100 * value:.1f} ({100 * low:.1f}–{100 * high:.1f})"
    if value is None:
        return "–"
    return f"{value:.0f}" if isinstance(value, float) else str(value)
