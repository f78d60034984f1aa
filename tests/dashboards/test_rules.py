"""The rules, checked and run by Prometheus' own tool."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pitwall_dashboards.rules import ALERTS, RECORDED, rule_file

RULES = Path(__file__).parents[2] / "dashboards" / "rules.yaml"


def series(name: str, values: str, **labels: str) -> dict[str, str]:
    matchers = ",".join(f'{key}="{value}"' for key, value in labels.items())
    return {"series": f"{name}{{{matchers}}}", "values": values}


def verdict(value: str, values: str = "1x900", namespace: str = "video-qa") -> dict[str, str]:
    return series("pitwall_rollout_verdict", values, rollout_namespace=namespace, rollout="sampler", verdict=value)


def phase(name: str, values: str = "1x900", namespace: str = "video-qa") -> dict[str, str]:
    return series("pitwall_rollout_phase", values, rollout_namespace=namespace, rollout="sampler", phase=name)


def condition(kind: str, values: str) -> dict[str, str]:
    return series("pitwall_rollout_condition", values, rollout_namespace="video-qa", rollout="sampler", condition=kind)


CANARY, SHADOW, STABLE, OFF = phase("Canary"), phase("Shadow"), phase("Stable"), phase("FlaggedOff")
AKS = {"sampler_variant": "aks", "arm": "candidate"}


def errors(failed: int, served: int) -> list[dict[str, str]]:
    return [
        series("pitwall_queries_total", f"0+{count}x900", **AKS, outcome=outcome)
        for outcome, count in (("error", failed), ("ok", served))
    ]


def rule_name(rule: dict[str, Any]) -> str:
    return str(rule.get("alert") or rule["record"])


def run(promtool: str, folder: Path, test: dict[str, Any]) -> None:
    """Fails with promtool's words."""
    file = folder / "test.yaml"
    file.write_text(
        yaml.safe_dump(
            {"rule_files": [str(RULES)], "evaluation_interval": "30s", "tests": [{"interval": "30s", **test}]}
        )
    )
    done = subprocess.run(
        [promtool, "test", "rules", str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_the_rules(promtool: str):
    done = subprocess.run(
        [promtool, "check", "rules", str(RULES)], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(ALERTS) + len(RECORDED)} rules found" in done.stdout


@pytest.mark.parametrize(
    ("alert", "given", "minutes", "fires"),
    [
        pytest.param(
            "PitwallTargetDown", [series("up", "0x90", job="pitwall-runtime", instance="a")], 3, True, id="down"
        ),
        pytest.param(
            "PitwallTargetDown",
            [series("up", "0x90", job="pitwall-runtime", instance="a")],
            1,
            False,
            id="down-briefly",
        ),
        pytest.param(
            "PitwallTargetDown", [series("up", "0x90", job="node", instance="a")], 9, False, id="another-job-is-down"
        ),
        pytest.param("PitwallFlagsStale", [series("pitwall_flags_stale", "1x90", instance="g")], 3, True, id="stale"),
        pytest.param("PitwallFlagsStale", [series("pitwall_flags_stale", "0x90", instance="g")], 9, False, id="fresh"),
        pytest.param("PitwallRolloutUnmeasured", [verdict("Unmeasured"), CANARY], 16, True, id="unmeasured-in-canary"),
        pytest.param("PitwallRolloutUnmeasured", [verdict("Unmeasured"), SHADOW], 16, True, id="unmeasured-in-shadow"),
        pytest.param("PitwallRolloutUnmeasured", [verdict("Unmeasured"), CANARY], 10, False, id="unmeasured-briefly"),
        pytest.param("PitwallRolloutUnmeasured", [verdict("Unmeasured"), STABLE], 60, False, id="unmeasured-when-done"),
        pytest.param(
            "PitwallRolloutInconclusive", [verdict("Inconclusive"), CANARY], 361, True, id="inconclusive-for-long"
        ),
        pytest.param(
            "PitwallRolloutInconclusive", [verdict("Inconclusive"), CANARY], 300, False, id="inconclusive-as-usual"
        ),
        pytest.param("PitwallVariantHarmful", [verdict("Harmful"), OFF], 1, True, id="harm-at-once"),
        pytest.param("PitwallVariantHarmful", [verdict("Harmful"), CANARY], 1, True, id="harm-that-is-held"),
        pytest.param("PitwallVariantHarmful", [verdict("Harmful"), STABLE], 1, False, id="harm-that-is-over"),
        pytest.param(
            "PitwallVariantHarmful",
            [verdict("Harmful"), phase("FlaggedOff", "1x9 0x90"), phase("Stable", "0x9 1x90")],
            9,
            False,
            id="harm-until-another-variant-serves",
        ),
        pytest.param("PitwallVariantHarmful", [verdict("Harmful", "0x90"), OFF], 9, False, id="no-harm"),
        pytest.param("PitwallRolloutStalled", [condition("Stalled", "1x90"), CANARY], 3, True, id="stalled"),
        pytest.param("PitwallRolloutStalled", [condition("Stalled", "1x90"), OFF], 9, False, id="off-is-no-stall"),
        pytest.param("PitwallRolloutStalled", [condition("Stalled", "1x9 0x90"), CANARY], 9, False, id="goes-on"),
        pytest.param("PitwallRolloutRefused", [condition("Applied", "0x90"), CANARY], 4, True, id="refused"),
        pytest.param("PitwallRolloutRefused", [condition("Applied", "0x9 1x90"), CANARY], 9, False, id="permitted"),
        pytest.param("PitwallRolloutRefused", [condition("Stalled", "0x90"), CANARY], 9, False, id="not-refused"),
        pytest.param("PitwallRolloutKilled", [condition("Killed", "1x90"), OFF], 1, True, id="killed"),
        pytest.param("PitwallRolloutKilled", [condition("Killed", "1x9 0x90"), OFF], 9, False, id="released"),
        pytest.param("PitwallVariantFails", errors(10, 90), 11, True, id="ten-percent-fail"),
        pytest.param("PitwallVariantFails", errors(1, 99), 11, False, id="one-percent-fails"),
    ],
)
def test_an_alert(promtool: str, tmp_path: Path, alert: str, given: list[dict[str, str]], minutes: int, fires: bool):
    """promtool compares the names of the alerts that fire, so labels are left to it."""
    fired = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)'
    test = {"expr": fired, "eval_time": f"{minutes}m", "exp_samples": [{"labels": "{}", "value": int(fires)}]}

    run(promtool, tmp_path, {"input_series": given, "promql_expr_test": [test]})


@pytest.mark.parametrize(
    ("record", "given", "value"),
    [
        pytest.param(
            "sampler_variant:pitwall_tokens_per_query:mean_5m",
            [
                series("pitwall_tokens_per_query_sum", "0+4000x40", **AKS),
                series("pitwall_tokens_per_query_count", "0+2x40", **AKS),
            ],
            2000.0,
            id="mean-of-tokens",
        ),
        pytest.param(
            "sampler_variant:pitwall_query_latency_seconds:p50_5m",
            [
                series("pitwall_query_latency_seconds_bucket", f"0+{count}x40", **AKS, le=le)
                for le, count in (("1", 0), ("2", 10), ("+Inf", 10))
            ],
            1.5,
            id="median-of-latency",
        ),
        pytest.param(
            "sampler_variant:pitwall_embed_cache_lookups_total:hit_share_5m",
            [
                series("pitwall_embed_cache_lookups_total", f"0+{count}x40", **AKS, result=result)
                for result, count in (("hit", 3), ("miss", 1))
            ],
            0.75,
            id="hit-share",
        ),
        pytest.param(
            "sampler_variant:pitwall_embed_cache_lookups_total:hit_share_5m",
            [series("pitwall_embed_cache_lookups_total", "0+1x40", **AKS, result="miss")],
            0.0,
            id="no-hit-is-zero-not-absent",
        ),
        pytest.param(
            "sampler_variant:pitwall_quality_total:bad_share_1h",
            [
                series(
                    "pitwall_quality_total",
                    f"0+{count}x40",
                    **AKS,
                    signal="thumbs_down",
                    unit="session",
                    outcome=outcome,
                )
                for outcome, count in (("bad", 1), ("good", 9))
            ],
            0.1,
            id="bad-share",
        ),
    ],
)
def test_a_recorded_value(promtool: str, tmp_path: Path, record: str, given: list[dict[str, str]], value: float):
    test = {
        "expr": f"round(max({record}), 0.0001)",
        "eval_time": "20m",
        "exp_samples": [{"labels": "{}", "value": value}],
    }

    run(promtool, tmp_path, {"input_series": given, "promql_expr_test": [test]})


def test_two_rollouts_of_one_name_are_two_alerts_for_two_owners(promtool: str, tmp_path: Path):
    given = [
        verdict("Harmful", namespace="search"),
        phase("FlaggedOff", namespace="search"),
        verdict("Harmful"),
        STABLE,
    ]
    fired = 'count by (rollout_namespace) (ALERTS{alertname="PitwallVariantHarmful"})'
    owner = [{"labels": '{rollout_namespace="search"}', "value": 1}]

    run(
        promtool, tmp_path,
        {"input_series": given, "promql_expr_test": [{"expr": fired, "eval_time": "2m", "exp_samples": owner}]},
    )  # fmt: skip


@pytest.mark.parametrize("rule", [rule for group in rule_file()["groups"] for rule in group["rules"]], ids=rule_name)
def test_every_rule_tells_the_namespace_of_the_rollouts(rule: dict[str, Any]):
    assert "rollout_namespace" in rule["expr"]


def test_a_recorded_value_names_the_namespace_whose_processes_it_is_about(promtool: str, tmp_path: Path):
    counted = series("pitwall_embed_cache_lookups_total", "0+1x40", **AKS, namespace="search", result="hit")
    asked = "count by (rollout_namespace, namespace) (sampler_variant:pitwall_embed_cache_lookups_total:hit_share_5m)"
    told = [{"labels": '{rollout_namespace="search",namespace="search"}', "value": 1}]

    run(
        promtool, tmp_path,
        {"input_series": [counted], "promql_expr_test": [{"expr": asked, "eval_time": "20m", "exp_samples": told}]},
    )  # fmt: skip
