"""tests/ops/metrics.json: the machine-readable form of the metrics table, against which all else is checked."""

import re

import pytest

import declared
from promql import METRICS, problems

each = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS.keys())


@each
def test_a_metric_follows_the_conventions(metric):
    name, kind = metric["name"], metric["type"]
    assert re.fullmatch(r"tidings_[a-z][a-z_]*[a-z]", name)
    assert kind in ("counter", "gauge", "histogram")
    assert (kind == "counter") == name.endswith("_total")
    assert not re.search(r"_(ms|millis|kb|mb|minutes|hours)(_|$)", name)


@each
def test_buckets_rise_and_belong_to_histograms(metric):
    assert ("buckets" in metric) == (metric["type"] == "histogram")
    buckets = metric.get("buckets", [])
    assert buckets == sorted(set(buckets))


@each
def test_no_label_can_grow_without_bound(metric):
    assert not set(metric["labels"]) & {"user", "user_id", "conversation", "conversation_id", "token", "device", "ip"}
    for values in metric["labels"].values():
        assert values is None or len(values) == len(set(values)) > 0


def test_the_service_level_has_its_bucket():
    assert 1 in METRICS["tidings_delivery_seconds"]["buckets"]


@pytest.mark.parametrize("expr", [
    "rate(tidings_no_such_thing_total[5m])",
    'rate(tidings_publishes_total{result="lost"}[5m])',
    'rate(tidings_publishes_total{queue="a"}[5m])',
    "sum by (colour) (tidings_connections)",
    "tidings_delivery_seconds > 1",
    "tidings_publishes_total > 1",
])
def test_the_check_of_queries_finds_what_does_not_exist(expr):
    assert problems(expr)


def test_the_table_is_what_the_code_declares():
    code = declared.metrics()
    assert set(code) == set(METRICS)
    for name, metric in METRICS.items():
        if name == "tidings_build_info":
            assert set(metric["labels"]) == {"version", "revision", "role"}
        else:
            assert code[name] == metric
