"""Draws a dashboard as one picture from the answers of Prometheus: a stand-in where no Grafana can run."""

from datetime import datetime, timezone

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend has to be chosen first)
from matplotlib.ticker import FuncFormatter  # noqa: E402

INK, PAPER, TARGET = "#d0d4dc", "#16191f", "#f2495c"
STEPS = {"green": "#73bf69", "orange": "#ff9830", "red": "#f2495c", "blue": "#5794f2", "transparent": INK}


def shown(value, unit):
    """A figure as Grafana writes it in that unit."""
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    if unit == "s":
        for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
            if abs(value) >= size:
                return f"{value / size:.3g} {name}"
        return f"{value:.3g} s" if abs(value) >= 1 or value == 0 else f"{value * 1000:.3g} ms"
    suffix = {"cps": "/s", "bytes": "B", "Bps": "B/s"}.get(unit, "")
    for size, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g} {name}{suffix}"
    return f"{value:.3g} {suffix}".strip()


def legend(pattern, labels):
    for label, value in labels.items():
        pattern = pattern.replace("{{" + label + "}}", value)
    return pattern.strip()


def lines(axes, panel, queries, unit):
    defaults = panel["fieldConfig"]["defaults"]
    found = [(legend(pattern, labels), points) for pattern, series in queries for labels, points in series]
    if defaults["custom"]["stacking"]["mode"] == "normal":
        times = sorted({when for _, points in found for when, _ in points})
        values = [[dict(points).get(when, 0) for when in times] for _, points in found]
        if times:
            axes.stackplot([clock(t) for t in times], values, labels=[name for name, _ in found], alpha=0.6)
    else:
        for name, points in found:
            axes.plot([clock(t) for t, _ in points], [v for _, v in points], label=name, linewidth=1)
    for step in defaults["thresholds"]["steps"]:
        if step["value"] is not None:
            axes.axhline(step["value"], color=TARGET, linestyle="--", linewidth=1)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: shown(value, unit)))
    if 0 < len(found) <= 10:
        axes.legend(fontsize=6, loc="upper left", framealpha=0.7, facecolor=PAPER, edgecolor=PAPER, labelcolor=INK, ncol=2)


def figure_of(axes, panel, queries, unit):
    """The last value, large, in the colour of its step."""
    series = [points for _, found in queries for _, points in found]
    value = series[0][-1][1] if series else None
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    color = INK
    for step in steps:
        if value is not None and (step["value"] is None or value >= step["value"]):
            color = STEPS[step["color"]]
    axes.text(0.5, 0.5, "no data" if value is None else shown(value, unit), transform=axes.transAxes, fontsize=20,
              color=color, ha="center", va="center")
    if series and panel["type"] == "stat":
        axes.fill_between([clock(t) for t, _ in series[0]], [v for _, v in series[0]], alpha=0.15, color=color)
        axes.set_ylim(bottom=0, top=max(v for _, v in series[0]) * 3 or 1)
    axes.set_xticks([])
    axes.set_yticks([])


def heat(axes, queries):
    rows = sorted(((float(labels["le"]), points) for _, series in queries for labels, points in series
                   if labels["le"] != "+Inf"), key=lambda entry: entry[0])
    if not rows:
        return
    times = sorted({when for _, points in rows for when, _ in points})
    below, cells = [0] * len(times), []
    for _, points in rows:
        upto = [dict(points).get(when, 0) for when in times]
        cells.append([max(0, now - before) for now, before in zip(upto, below)])
        below = upto
    axes.imshow(cells, aspect="auto", origin="lower", cmap="Oranges")
    axes.set_yticks(range(len(rows)), [shown(bound, "s") for bound, _ in rows], fontsize=6)
    axes.set_xticks([])


def listing(axes, queries):
    series = [labels for _, found in queries for labels, _ in found]
    text = "\n".join("  ".join(f"{k}={v}" for k, v in sorted(labels.items())) for labels in series[:12])
    axes.text(0.02, 0.95, text or "no data", transform=axes.transAxes, fontsize=7, color=INK, va="top", family="monospace")
    axes.set_xticks([])
    axes.set_yticks([])


def clock(when):
    return datetime.fromtimestamp(when, timezone.utc)


def draw(board, panels, path):
    """Writes the picture of a dashboard; `panels` are its panels with their answers."""
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    figure = plt.figure(figsize=(19, height * 0.34 + 0.6), facecolor=PAPER)
    figure.text(0.01, 1 - 0.3 / (height * 0.34 + 0.6), board["title"], color=INK, fontsize=14)
    grid = figure.add_gridspec(height, 24, left=0.035, right=0.99, bottom=0.01, top=1 - 0.6 / (height * 0.34 + 0.6),
                               hspace=0, wspace=0)
    for row in (panel for panel in board["panels"] if panel["type"] == "row"):
        axes = figure.add_subplot(grid[row["gridPos"]["y"], :])
        axes.axis("off")
        axes.text(0, 0.3, row["title"], color=INK, fontsize=11, weight="bold")
    for panel, queries in panels:
        place, unit = panel["gridPos"], panel["fieldConfig"]["defaults"]["unit"]
        inner = grid[place["y"]:place["y"] + place["h"], place["x"]:place["x"] + place["w"]].subgridspec(
            10, 20, hspace=0, wspace=0)
        axes = figure.add_subplot(inner[1:8, 1:19])
        axes.set_facecolor("#1d2129")
        axes.set_title(panel["title"], color=INK, fontsize=9, loc="left", pad=3)
        axes.tick_params(colors=INK, labelsize=6)
        for spine in axes.spines.values():
            spine.set_color("#2f343d")
        if panel["type"] == "timeseries":
            lines(axes, panel, queries, unit)
        elif panel["type"] == "heatmap":
            heat(axes, queries)
        elif panel["type"] == "table":
            listing(axes, queries)
        else:
            figure_of(axes, panel, queries, unit)
    figure.savefig(path, dpi=75, facecolor=PAPER)
    plt.close(figure)
