#!/usr/bin/env python3
"""Draws what scripts/growth.py measured: growth_plots.py growth.json FOLDER. Points are medians, bars the lowest and the highest run."""
import json
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend has to be chosen first)
from matplotlib.ticker import FuncFormatter  # noqa: E402

# Text stays text, and the same figures give the same file.
plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "growth", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
INK = {"all": "#202020", "dev": "#c0392b", "gateway": "#2471a3", "worker": "#1e8449", "postgres": "#b7950b", "redis": "#7d3c98",
       "rabbitmq": "#d35400", "generator": "#909497"}
NAMES = {"all": "all of the roles", "dev": "tidings dev", "gateway": "gateways", "worker": "workers", "postgres": "Postgres", "redis": "Redis",
         "rabbitmq": "RabbitMQ", "generator": "(generator)"}


def curve(axes, part, series, figure, places, shift=0.0, **style):
    """`places` are the x of the plot by the x of the point; beside each other by `shift` of their distance."""
    points = [point for point in part["summary"] if series in (point["series"], point.get("also")) and figure in point["figures"]]
    points.sort(key=lambda point: point["x"])
    if not points:
        return
    values = [point["figures"][figure] for point in points]
    median = [value["median"] for value in values]
    bars = [[value["median"] - value["lowest"] for value in values], [value["highest"] - value["median"] for value in values]]
    step = (max(places.values()) - min(places.values())) / max(len(places) - 1, 1)
    x = [places[point["x"]] + shift * step for point in points]
    axes.errorbar(x, median, yerr=bars, capsize=2.5, elinewidth=0.8, linewidth=1.4, markersize=4, **{"marker": "o", **style})


def finish(axes, title, unit, label, places):
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel(label)
    axes.set_ylabel(unit)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, 0) if low < -0.1 * high else 0, high * 1.35)  # room for the legend
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"))
    axes.set_xticks(list(places.values()), [f"{x / 1e6:g} million" if x >= 1e6 else f"{x:,}" for x in places])
    axes.grid(axis="y", linewidth=0.4, alpha=0.6)
    axes.legend(fontsize=7.5, frameon=False, ncols=2, loc="upper left", columnspacing=1)


def latency(axes, part, series, places, **style):
    for place, (name, ink) in enumerate(series.items()):
        for figure, dash in (("mean", "-"), ("p99", "--")):
            curve(axes, part, name, figure, places, 0.04 * place, color=ink[0], linestyle=dash, label=f"{ink[1]}, {figure}")


def gateways(part, axes):
    places = evenly(part)
    for place, role in enumerate(("all", "gateway", "worker", "postgres", "redis", "rabbitmq")):
        curve(axes[0], part, "roles", f"cpu {role}", places, 0.02 * (place - 2), color=INK[role], label=NAMES[role])
    most = max(point["partitions"] for point in part["summary"])
    for point in part["summary"]:
        point["also"] = "most partitions" if point["partitions"] == most else None
    curve(axes[0], part, "most partitions", "cpu all", places, color=INK["all"], linestyle=":", marker="s", label=f"all, {most} partitions throughout")
    latency(axes[1], part, {"roles": (INK["all"], "as many partitions as workers"), "most partitions": (INK["redis"], f"{most} partitions")}, places)
    return "gateways, and as many workers", places


def log(part, axes):
    places = evenly(part)
    curve(axes[0], part, "dev", "cpu dev", places, color=INK["dev"], label=NAMES["dev"])
    for place, role in enumerate(("all", "gateway", "worker", "postgres", "rabbitmq")):
        curve(axes[0], part, "roles", f"cpu {role}", places, 0.02 * (place + 1), color=INK[role], label=NAMES[role])
    latency(axes[1], part, {"dev": (INK["dev"], NAMES["dev"]), "roles": (INK["all"], "roles")}, places)
    return "messages stored before", places


def sockets(part, axes):
    places = {point["x"]: point["x"] for point in part["summary"]}
    curve(axes[0], part, "dev", "cpu dev", places, color=INK["dev"], label=NAMES["dev"])
    for role in ("all", "gateway", "postgres"):
        curve(axes[0], part, "roles", f"cpu {role}", places, color=INK[role], label=NAMES[role])
    for series, role in (("dev", "dev"), ("roles", "gateway")):
        for figure, dash, words in (("idle", "-", "idle"), ("after", "--", "after the load")):
            name = NAMES[role].removesuffix("s")
            curve(axes[1], part, series, figure, places, color=INK[role], linestyle=dash, label=f"{name}, {words}")
    latency(axes[2], part, {"dev": (INK["dev"], NAMES["dev"]), "roles": (INK["all"], "roles")}, places)
    return "sockets", places


def evenly(part):
    return {x: place for place, x in enumerate(sorted({point["x"] for point in part["summary"]}))}


PLOTS = {
    "gateways": (gateways, (("CPU a message", "µs"), ("until it is delivered", "ms"))),
    "log": (log, (("CPU a message", "µs"), ("until it is delivered", "ms"))),
    "sockets": (sockets, (("CPU a message", "µs"), ("memory a socket", "bytes"), ("until it is delivered", "ms"))),
}


def main():
    parts = json.loads(pathlib.Path(sys.argv[1]).read_text())["parts"]
    for name, part in parts.items():
        draw, panels = PLOTS[name]
        figure, axes = plt.subplots(1, len(panels), figsize=(4.8 * len(panels), 4), layout="constrained")
        label, places = draw(part, axes)
        for one, (title, unit) in zip(axes, panels):
            finish(one, title, unit, label, places)
            if name == "sockets":
                one.tick_params(axis="x", labelrotation=60, labelsize=7)
        figure.suptitle(f"{part['rate']:,} messages/s; median of {part['runs']} runs of {part['seconds']} s, lowest to highest", fontsize=9, x=0.01, ha="left")
        file = pathlib.Path(sys.argv[2]) / f"growth-{name}.svg"
        figure.savefig(file, metadata={"Date": None})
        plt.close(figure)
        print(f"growth: {file} ({file.stat().st_size // 1000} KB)")


main()
