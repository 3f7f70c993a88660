#!/usr/bin/env python3
"""Holds the dashboards against running processes.

Starts a Prometheus of its own on loopback that scrapes the given operators' ports, records while something else puts load
on the processes, and then asks every query of every panel. Fails when one has no answer, when a process exposes a
metric that is not in metrics.json, or when a metric of the table is exposed by none. With `--out` it draws each dashboard.

    live_panels.py --seconds 60 --out docs/images gateway-0=http://127.0.0.1:9090 worker-0=http://127.0.0.1:9091 …

The name before `=` becomes the label `pod`. Needs the Debian package `prometheus`.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import yaml

from promql import METRICS, fill, metric_of
from support import ROOT, free_port, wait_until

SCRAPE_SECONDS = 1
# Ten samples: enough for a rate that does not jump, short enough for a run of a minute.
RATE_INTERVAL = "10s"


class Prometheus:
    """A Prometheus of our own with its data in a temporary folder."""

    def __init__(self, targets):
        self.targets, self.folder = targets, tempfile.TemporaryDirectory()
        self.url = f"http://127.0.0.1:{free_port()}"

    def __enter__(self):
        folder = Path(self.folder.name)
        rules = yaml.safe_load((ROOT / "grafana/rules.yaml").read_text())
        for group in rules["groups"]:
            group.pop("interval", None)
        (folder / "rules.yaml").write_text(yaml.safe_dump(rules))
        jobs = [{"targets": [urllib.parse.urlsplit(url).netloc], "labels": {"pod": pod, "namespace": "live"}}
                for pod, url in self.targets.items()]
        every = f"{SCRAPE_SECONDS}s"
        config = {
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
            "rule_files": [str(folder / "rules.yaml")],
            "scrape_configs": [{"job_name": "tidings", "static_configs": jobs}],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.log = (folder / "log").open("w")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address={urllib.parse.urlsplit(self.url).netloc}"], stdout=self.log, stderr=self.log)
        wait_until("Prometheus is ready", self.ready)
        wait_until("all targets are scraped", lambda: self.up() == len(self.targets))
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=20)
        self.log.close()
        self.folder.cleanup()

    def ready(self):
        if self.process.poll() is not None:
            raise SystemExit((Path(self.folder.name) / "log").read_text())
        return urllib.request.urlopen(f"{self.url}/-/ready", timeout=5).status == 200

    def ask(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=30) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{parameters.get('query')}: {error.read().decode()}") from error

    def up(self):
        return sum(int(series["value"][1]) for series in self.ask("query", query="up"))

    def range(self, expr, start, end):
        """The series of a query: (labels, [(time, value)]) with the values that are numbers."""
        found = []
        for series in self.ask("query_range", query=expr, start=start, end=end, step=SCRAPE_SECONDS):
            points = [(when, float(value)) for when, value in series["values"]]
            points = [(when, value) for when, value in points if math.isfinite(value)]
            if points:
                found.append((series["metric"], points))
        return found


def boards():
    return {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "grafana/dashboards").glob("*.json"))}


def answers(prometheus, board, start, end):
    """Each panel of a dashboard with the answers to its queries: [(panel, [(legend, series)])]."""
    elapsed = f"{max(1, int(end - start))}s"
    return [(panel, [(target["legendFormat"], prometheus.range(fill(target["expr"], RATE_INTERVAL, elapsed), start, end))
                     for target in panel["targets"]])
            for panel in board["panels"] if panel["type"] != "row"]


def wrong_metrics(targets):
    """What the processes expose and the table does not know, and the other way round."""
    problems, seen = [], set()
    for pod, url in targets.items():
        text = urllib.request.urlopen(f"{url}/metrics", timeout=5).read().decode()
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        if checked.returncode:
            problems.append(f"{pod}: promtool check metrics: {(checked.stdout + checked.stderr).strip()}")
        for line in text.splitlines():
            name = line.split("{")[0].split(" ")[0]
            if name.startswith("tidings_"):
                metric = metric_of(name)
                seen.add(metric["name"] if metric else None)
                if metric is None:
                    problems.append(f"{pod}: {name} is not in the table")
    problems += [f"no process exposes {name}" for name in METRICS if name not in seen]
    return problems


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("targets", nargs="+", metavar="POD=URL")
    parser.add_argument("--seconds", type=int, default=60, help="how long to record (at least 12 for rates)")
    parser.add_argument("--out", type=Path, help="folder for one picture of each dashboard")
    options = parser.parse_args(arguments)
    targets = dict(target.split("=", 1) for target in options.targets)
    problems = wrong_metrics(targets)
    with Prometheus(targets) as prometheus:
        start = time.time()
        # Recording is what this time is for; nothing is waited for.
        time.sleep(options.seconds)
        end = time.time()
        for name, board in boards().items():
            panels = answers(prometheus, board, start, end)
            problems += [f"{name} / {panel['title']} / {legend or 'value'}: no data"
                         for panel, queries in panels for legend, series in queries if not series]
            if options.out:
                from render import draw
                options.out.mkdir(parents=True, exist_ok=True)
                draw(board, panels, options.out / f"dashboard-{name}.png")
            print(f"{name}: {len(panels)} panels")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
