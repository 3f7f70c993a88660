"""Just enough of PromQL to say which series and labels a query names. Syntax itself is promtool's to judge."""

import json
import re

from support import ROOT

METRICS = {metric["name"]: metric for metric in json.loads((ROOT / "tests/ops/metrics.json").read_text())}
# What Prometheus adds to every series of a target.
TARGET_LABELS = {"namespace", "pod", "job", "instance"}
SERIES = re.compile(r"\b(tidings_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')


def metric_of(series):
    """The declared metric behind a series name, None when nothing declares it."""
    if series in METRICS:
        return METRICS[series] if METRICS[series]["type"] != "histogram" else None
    for suffix in ("_bucket", "_sum", "_count"):
        base = METRICS.get(series.removesuffix(suffix)) if series.endswith(suffix) else None
        if base and base["type"] == "histogram":
            return base
    return None


def problems(expr):
    """Everything in the query that no process will ever expose."""
    found, known = [], set(TARGET_LABELS)
    for series, matchers in SERIES.findall(expr):
        metric = metric_of(series)
        if metric is None:
            found.append(f"no metric {series}")
            continue
        labels = dict(metric["labels"])
        if series.endswith("_bucket"):
            labels["le"] = None
        known |= labels.keys()
        for label, operator, value in MATCHER.findall(matchers):
            if label in TARGET_LABELS or label == "le":
                continue
            if label not in labels:
                found.append(f"{series} has no label {label}")
            elif labels[label] is not None:
                alternatives = value.split("|") if "~" in operator else [value]
                found += [f'{series} never has {label}="{v}"' for v in alternatives if v not in labels[label]]
        if series.endswith("_total") and not re.search(r"(rate|increase|group by \([\w, ]+\)) ?\(" + series, expr):
            found.append(f"{series} is a counter and is used without rate")
    for recorded in re.findall(r"\b(\w+):\w+:\w+", expr):
        known |= set(recorded.split("_"))
    for grouped in re.findall(r"\b(?:by|on) \(([^)]*)\)", expr):
        found += [f"grouped by unknown label {g}" for g in re.split(r"[ ,]+", grouped) if g and g not in known]
    return found


def recorded_names(expr):
    return set(re.findall(r"\b\w+:\w+:\w+", expr))


def fill(expr, interval="1m", duration="1h"):
    """The query as Grafana sends it when everything is chosen."""
    for variable, value in {"$__rate_interval": interval, "$__range": duration, "$namespace": ".*", "$pod": ".*"}.items():
        expr = expr.replace(variable, value)
    return expr
