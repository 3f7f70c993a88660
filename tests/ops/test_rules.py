"""grafana/rules.yaml: valid, complete, and each alert fires for its cause and stays quiet otherwise."""

import subprocess

import pytest
import yaml

from rule_cases import CASES
from support import ROOT, heading_anchors

RULES = ROOT / "grafana/rules.yaml"
GROUPS = yaml.safe_load(RULES.read_text())["groups"]
ALERTS = [rule for group in GROUPS for rule in group["rules"] if "alert" in rule]
RECORDS = [rule for group in GROUPS for rule in group["rules"] if "record" in rule]


def test_promtool_accepts_the_rules():
    subprocess.run(["promtool", "check", "rules", "--lint=all", "--lint-fatal", RULES], check=True)


def test_recorded_names_stay_out_of_the_prefix_of_the_processes():
    assert not [rule["record"] for rule in RECORDS if rule["record"].startswith("tidings_")]


def test_every_recorded_series_is_used():
    used = " ".join(rule["expr"] for rule in ALERTS)
    used += " ".join(path.read_text() for path in (ROOT / "grafana/dashboards").glob("*.json"))
    assert not [rule["record"] for rule in RECORDS if rule["record"] not in used]


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: f"{rule['alert']}-{rule['labels'].get('role', '')}")
def test_an_alert_says_what_it_means_and_where_to_read_on(rule):
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"] and rule["annotations"]["description"]
    page, anchor = rule["annotations"]["runbook_url"].split("#")
    assert page == "docs/operations.md" and anchor == rule["alert"].lower()
    assert anchor in heading_anchors(ROOT / page)


def test_every_alert_has_a_case_that_fires_and_one_that_stays_quiet():
    names = {rule["alert"] for rule in ALERTS}
    assert {case[0] for case in CASES if case[4]} == names
    assert {case[0] for case in CASES if not case[4]} == names


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}: {case[1]}")
def test_alert(case, tmp_path):
    alert, _, series, minutes, firing = case
    severity = next(rule["labels"]["severity"] for rule in ALERTS if rule["alert"] == alert)
    names = {"__name__": "ALERTS", "alertname": alert, "alertstate": "firing", "severity": severity}
    expected = [
        {"labels": "{" + ",".join(f'{k}="{v}"' for k, v in (names | labels).items()) + "}", "value": 1}
        for labels in firing
    ]
    query = f'ALERTS{{alertname="{alert}",alertstate="firing"}}'
    # The intervals of the group do not matter to promtool: it evaluates every rule at `evaluation_interval`.
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "30s",
        "tests": [
            {
                "interval": "30s",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [{"expr": query, "eval_time": f"{minutes}m", "exp_samples": expected}],
            }
        ],
    }
    path = tmp_path / "case.yaml"
    path.write_text(yaml.safe_dump(test))
    done = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
