"""The few kinds of panel that the dashboards use, as Grafana's JSON.

A query is written with `{@}` or `{@,label="x"}` for the selector of the chosen namespaces and pods, and `{#}` for the
namespaces alone (recorded series have no pod).
"""

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

# What the origin documents promise; drawn so that one sees which share of it is in use.
TARGET_CONNECTIONS = 15_000
TARGET_MESSAGES_PER_SECOND = 28_000
TARGET_LATENCY_SECONDS = 0.035

SELECTORS = {"{@": '{namespace=~"$namespace",pod=~"$pod"', "{#": '{namespace=~"$namespace"'}


def query(expr):
    for short, full in SELECTORS.items():
        expr = expr.replace(short, full)
    return " ".join(expr.split())


def rate(metric, by="", extra=""):
    """The metric's increase a second, summed, by the labels named."""
    group = f" by ({by})" if by else ""
    selector = "{@," + extra + "}" if extra else "{@}"
    return f"sum{group} (rate({metric}{selector}[$__rate_interval]))"


def quantile(q, metric, by=""):
    labels = f"{by}, le" if by else "le"
    return f"histogram_quantile({q}, {rate(metric + '_bucket', labels)})"


def mean(metric, by=""):
    return f"{rate(metric + '_sum', by)} / {rate(metric + '_count', by)}"


def percentiles(metric, by=""):
    """Legend and query of the median, p99 and mean; by a label only the p99."""
    if by:
        return [(f"{{{{{by}}}}} p99", quantile(0.99, metric, by))]
    return [("p50", quantile(0.5, metric)), ("p99", quantile(0.99, metric)), ("mean", mean(metric))]


def panel(kind, title, description, unit, queries, width, height, custom=None, options=None, steps=None):
    defaults = {"unit": unit, "custom": custom or {}}
    defaults["color"] = {"mode": "palette-classic" if kind == "timeseries" else "thresholds"}
    defaults["thresholds"] = {"mode": "absolute", "steps": steps or [{"color": "green", "value": None}]}
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "gridPos": {"w": width, "h": height},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options or {},
        "targets": [
            {"refId": chr(ord("A") + i), "datasource": DATASOURCE, "expr": query(expr), "legendFormat": legend}
            for i, (legend, expr) in enumerate(queries)
        ],
    }


def series(title, description, unit, queries, width=8, height=8, target=None, stack=False):
    """Lines over time; `target` draws a line at that value and keeps it in view."""
    custom = {"lineWidth": 1, "fillOpacity": 25 if stack else 8, "showPoints": "never"}
    custom["stacking"] = {"mode": "normal" if stack else "none"}
    steps = None
    if target is not None:
        custom["thresholdsStyle"] = {"mode": "dashed"}
        custom["axisSoftMax"] = target
        steps = [{"color": "transparent", "value": None}, {"color": "red", "value": target}]
    options = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
    return panel("timeseries", title, description, unit, queries, width, height, custom, options, steps)


def stat(title, description, unit, expr, width=4, steps=None, legend=""):
    """One figure with its recent course behind it; `steps` are (colour, from) pairs."""
    options = {"graphMode": "area", "colorMode": "value", "reduceOptions": {"calcs": ["lastNotNull"]}}
    steps = [{"color": color, "value": value} for color, value in steps] if steps else None
    return panel("stat", title, description, unit, [(legend, expr)], width, 5, options=options, steps=steps)


def share(title, description, expr, target, width=8):
    """A gauge from nothing to twice the design target, as a share of it."""
    steps = [("green", None), ("orange", 0.8), ("red", 1)]
    made = stat(title, description, "percentunit", f"({expr}) / {target}", width, steps)
    made["type"] = "gauge"
    made["options"] = {"reduceOptions": {"calcs": ["lastNotNull"]}, "showThresholdMarkers": True}
    made["fieldConfig"]["defaults"] |= {"min": 0, "max": 2}
    return made


def heatmap(title, description, metric, width=12):
    """The whole distribution of a histogram over time, in seconds."""
    expr = f"sum by (le) (increase({metric}_bucket{{@}}[$__rate_interval]))"
    options = {"calculate": False, "yAxis": {"unit": "s"}, "color": {"mode": "scheme", "scheme": "Oranges"}}
    made = panel("heatmap", title, description, "s", [("{{le}}", expr)], width, 8, options=options)
    made["targets"][0]["format"] = "heatmap"
    return made


def table(title, description, unit, expr, width=12):
    made = panel("table", title, description, unit, [("", expr)], width, 8)
    made["targets"][0] |= {"format": "table", "instant": True}
    hidden = {"Time": True, "__name__": True}
    made["transformations"] = [{"id": "organize", "options": {"excludeByName": hidden}}]
    return made


def row(title, *panels):
    return {"title": title, "panels": list(panels)}


def variable(name, label, expr):
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": expr, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        # Also matches series that have no such label, as outside Kubernetes.
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def dashboard(uid, title, description, role, rows):
    """`role` restricts the choice of pods; empty means all roles."""
    of_role = f',role=~"{role}|dev"' if role else ""
    pods = f'label_values(tidings_build_info{{namespace=~"$namespace"{of_role}}}, pod)'
    datasource = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    namespaces = variable("namespace", "Namespace", "label_values(tidings_build_info, namespace)")
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["tidings"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "graphTooltip": 1,
        "templating": {"list": [datasource, namespaces, variable("pod", "Pod", pods)]},
        "annotations": {"list": []},
        "links": [{"type": "dashboards", "title": "Tidings", "tags": ["tidings"], "asDropdown": True, "keepTime": True}],
        "panels": place(rows),
    }


def place(rows):
    """Numbers the panels and sets them from left to right into Grafana's grid of 24 columns."""
    placed, y = [], 0
    for line in rows:
        placed.append({"type": "row", "title": line["title"], "collapsed": False, "panels": [],
                       "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}})
        y += 1
        x = height = 0
        for one in line["panels"]:
            grid = one["gridPos"]
            if x + grid["w"] > 24:
                x, y, height = 0, y + height, 0
            placed.append(one | {"gridPos": {"x": x, "y": y, **grid}})
            x, height = x + grid["w"], max(height, grid["h"])
        y += height
    return [one | {"id": number} for number, one in enumerate(placed, start=1)]
