"""grafana/dashboards: generated, readable by any Grafana, and asking only for what the processes expose."""

import json
import re
import subprocess
import sys

import pytest
import yaml

from promql import METRICS, fill, metric_of, problems, recorded_names, SERIES
from support import ROOT

FILES = sorted((ROOT / "grafana/dashboards").glob("*.json"))
BOARDS = {path.stem: json.loads(path.read_text()) for path in FILES}
PANELS = [(name, panel) for name, board in BOARDS.items() for panel in board["panels"] if panel["type"] != "row"]
RULES = [rule for group in yaml.safe_load((ROOT / "grafana/rules.yaml").read_text())["groups"] for rule in group["rules"]]
UNITS = {"short", "s", "bytes", "Bps", "cps", "percentunit"}
each_panel = pytest.mark.parametrize("name,panel", PANELS, ids=lambda v: v if isinstance(v, str) else v["title"])
each_board = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())


def exprs(panel):
    return [target["expr"] for target in panel["targets"]]


def test_the_committed_dashboards_are_the_generated_ones():
    subprocess.run([sys.executable, ROOT / "grafana/build.py", "--check"], check=True)


def test_all_five_are_there():
    assert set(BOARDS) == {"overview", "gateway", "worker", "push", "rollout"}
    assert len({board["uid"] for board in BOARDS.values()}) == 5


@each_panel
def test_a_panel_has_a_unit_a_description_and_a_query(name, panel):
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert len(panel["description"]) > 10 and panel["description"].endswith(".")
    assert panel["title"] and exprs(panel)


@each_panel
def test_a_panel_names_only_what_exists(name, panel):
    recorded = {rule["record"] for rule in RULES if "record" in rule}
    for expr in exprs(panel):
        assert problems(expr) == []
        assert recorded_names(expr) <= recorded
        assert SERIES.search(expr) or recorded_names(expr)


@each_panel
def test_a_panel_obeys_the_variables(name, panel):
    for expr in exprs(panel):
        for series in re.findall(r"\b(?:tidings_\w+|\w+:\w+:\w+)(\{[^}]*\})?", expr):
            assert "$namespace" in series
        for series in re.findall(r"\btidings_\w+(\{[^}]*\})?", expr):
            assert "$pod" in series


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert", rule.get("record")))
def test_a_rule_names_only_what_exists(rule):
    assert problems(rule["expr"]) == []
    assert recorded_names(rule["expr"]) <= {other["record"] for other in RULES if "record" in other}


@each_board
def test_no_data_source_is_written_down(board):
    def sources(node):
        if isinstance(node, dict):
            if "datasource" in node:
                yield node["datasource"]
            for value in node.values():
                yield from sources(value)
        elif isinstance(node, list):
            for value in node:
                yield from sources(value)

    assert {source["uid"] for source in sources(board)} == {"${datasource}"}
    assert "__inputs" not in board and "id" not in board


@each_board
def test_one_chooses_data_source_namespace_and_pod(board):
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert list(variables) == ["datasource", "namespace", "pod"]
    assert variables["datasource"]["type"] == "datasource"
    assert all(variables[name]["multi"] and variables[name]["includeAll"] for name in ("namespace", "pod"))
    for name in ("namespace", "pod"):
        assert problems(re.sub(r"label_values\((.*), \w+\)", r"\1", variables[name]["query"]["query"])) == []


@each_board
def test_panels_have_their_own_id_and_do_not_overlap(board):
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    taken = set()
    for panel in board["panels"]:
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= 24
        cells = {(x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])}
        assert not cells & taken
        taken |= cells


def test_the_design_target_is_drawn():
    overview = {panel["title"]: panel for panel in BOARDS["overview"]["panels"]}
    for title, target in [("Connections", 15_000), ("Messages a second", 28_000), ("From socket to socket", 0.035)]:
        defaults = overview[title]["fieldConfig"]["defaults"]
        assert defaults["custom"]["thresholdsStyle"]["mode"] == "dashed"
        assert [step["value"] for step in defaults["thresholds"]["steps"]] == [None, target]
    for title in ("Connections in use", "Messages in use", "Mean latency in use"):
        assert overview[title]["type"] == "gauge"


def test_every_metric_is_drawn_somewhere():
    drawn = {metric_of(series)["name"] for _, panel in PANELS for expr in exprs(panel) for series, _ in SERIES.findall(expr)}
    drawn |= {metric_of(series)["name"] for rule in RULES for series, _ in SERIES.findall(rule["expr"])}
    assert drawn == set(METRICS)


def test_prometheus_can_parse_every_query(tmp_path):
    queries = [fill(expr) for _, panel in PANELS for expr in exprs(panel)]
    rules = [{"record": f"query:number:{n}", "expr": expr} for n, expr in enumerate(queries)]
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    subprocess.run(["promtool", "check", "rules", path], check=True)
