#!/usr/bin/env python3
"""Measures how the cost of a message grows: with gateways and workers, with the stored log, with sockets.

Every point is the median of some runs of `tidings-loadtest run` (pairs), shown with the lowest and the highest. A run has processes of
its own and, but for a filled log, a database of its own; the points take turns, so that a machine that changes changes them all. Leaves
target/growth/growth.json, a table beside it, and the plots. The first broken promise ends it.
  TIDINGS, LOADTEST   programs to take instead of those in target/release
"""
import argparse
import json
import os
import pathlib
import platform
import random
import signal
import statistics
import subprocess
import sys
import time

from growth_machine import OUT, ROOT, Failed, Machine, say, uninterrupted


def options():
    def numbers(text):
        return [int(number) for number in text.split(",")]

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", type=lambda text: text.split(","), default=["gateways", "sockets", "log"], help="gateways,sockets,log")
    parser.add_argument("--runs", type=int, default=5, help="of each point")
    parser.add_argument("--seconds", type=int, default=6, help="measured of each run")
    parser.add_argument("--rate", type=int, default=5000, help="messages a second")
    parser.add_argument("--sockets", type=int, default=4000, help="where they are not what grows")
    parser.add_argument("--gateways", type=numbers, default=[1, 2, 4, 8], help="how many, and as many workers")
    parser.add_argument("--messages", type=numbers, default=[0, 1_000_000, 10_000_000], help="stored before")
    parser.add_argument("--socket-counts", type=numbers, default=[1000, 2000, 4000, 8000, 12_000, 18_000])
    parser.add_argument("--images", type=pathlib.Path, default=OUT, help="folder for the plots")
    parser.add_argument("--plot", action="store_true", help="measure nothing, draw what growth.json has")
    chosen = parser.parse_args()
    unknown = set(chosen.only) - {"gateways", "sockets", "log"}
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}")
    return chosen


class Point:
    """What is measured under which conditions."""

    def __init__(self, series, x, sockets, gateways=1, partitions=2, messages=0):
        self.series, self.x, self.sockets, self.messages = series, x, sockets, messages
        self.gateways, self.partitions = gateways, partitions
        self.embedded = series == "dev"

    def warmup(self, rate):
        """Everybody has written once: conversations are made before anything is measured."""
        return max(2, -(-self.sockets // rate) + 1)

    def expected(self, chosen):
        """Seconds of a run."""
        return 4 + self.sockets / 2000 + self.warmup(chosen.rate) + chosen.seconds + (0 if self.embedded else 2)

    def filling(self):
        """Seconds to store what has to be there before."""
        return self.messages * (6e-6 if self.embedded else 18e-6)


def points_of(part, chosen):
    if part == "gateways":
        most = max(chosen.gateways)
        usual = [Point("roles", n, chosen.sockets, n, max(2, n)) for n in chosen.gateways]
        # What the partitions alone do, at the other end.
        return usual + [Point("most partitions", n, chosen.sockets, n, most) for n in chosen.gateways[:1] if max(2, n) < most]
    if part == "log":
        return [Point(series, n, chosen.sockets, messages=n) for n in chosen.messages for series in ("dev", "roles")]
    return [Point(series, n, n) for n in chosen.socket_counts for series in ("dev", "roles")]


def python_with_matplotlib(python):
    """Found or made before anything is measured."""
    for found in (python, OUT / "venv/bin/python", ROOT / "target/ops/venv/bin/python"):
        if os.access(found, os.X_OK) and not subprocess.run([found, "-c", "import matplotlib"], capture_output=True).returncode:
            return found
    wanted = next(line for line in (ROOT / "tests/ops/requirements.txt").read_text().splitlines() if line.startswith("matplotlib"))
    say("installing matplotlib into target/growth/venv")
    for command in ([python, "-m", "venv", OUT / "venv"], [OUT / "venv/bin/pip", "install", "-q", "--disable-pip-version-check", wanted]):
        if subprocess.run(command).returncode:
            raise Failed("matplotlib could not be installed")
    return OUT / "venv/bin/python"


def figures(report):
    cpu, idle, after = {}, 0, 0
    for process in report["processes"]:
        role = process["name"].split()[0]
        cpu[role] = cpu.get(role, 0) + process["cpu_us_per_message"]
        if role in ("dev", "gateway"):
            idle += process["bytes_per_socket_idle"]
            after += process["bytes_per_socket_after"]
    cpu["all"] = sum(cost for role, cost in cpu.items() if role != "generator")
    found = {f"cpu {role}": cost for role, cost in cpu.items()}
    found |= {"idle": idle, "after": after, "delivered": report["delivered_per_s"], "lag p99": report["lag"]["p99_ms"]}
    found |= {name: report["delivered"][f"{name}_ms"] for name in ("mean", "p50", "p99")}
    found["refused"] = report["verdict"]["refused"]
    return found


def summary(points):
    """Median, lowest and highest of each figure, by series and x."""
    return [
        {
            **{key: point[key] for key in ("series", "x", "sockets", "gateways", "partitions", "messages")},
            "figures": {
                name: {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}
                for name in point["runs"][0]
                for values in [[run[name] for run in point["runs"]]]
            },
        }
        for point in points
        if point["runs"]
    ]


def table(result):
    lines, parts = [result["machine"]], result["parts"]
    for part, measured in parts.items():
        names = [name for name in ("dev", "gateway", "worker", "postgres", "redis", "rabbitmq", "all", "generator")
                 if any(f"cpu {name}" in point["figures"] for point in measured["summary"])]
        lines += [f"\n{part}: {measured['rate']:,} messages/s, {measured['runs']} runs of {measured['seconds']} s each, median (lowest to highest); CPU in µs a message\n"]
        lines += [f"| server | {part} | " + " | ".join(names) + " | mean ms | p99 ms | generator late, p99 ms | bytes a socket, idle | after |"]
        lines += ["|---|--:|" + "--:|" * (len(names) + 5)]
        for point in measured["summary"]:
            cells = [shown(point["figures"].get(name)) for name in [f"cpu {name}" for name in names] + ["mean", "p99", "lag p99", "idle", "after"]]
            full = "" if point["figures"]["delivered"]["lowest"] >= 0.98 * measured["rate"] else " (not kept up with)"
            full += f" (up to {point['figures']['refused']['highest']} refused)" if point["figures"]["refused"]["highest"] else ""
            lines.append(f"| {point['series']}{full} | {point['x']:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def shown(figure):
    if not figure:
        return ""
    write = (lambda value: f"{value:,.0f}") if abs(figure["median"]) >= 30 else (lambda value: f"{value:.1f}")
    return f"{write(figure['median'])} ({write(figure['lowest'])} to {write(figure['highest'])})"


class Clock:
    """How long the rest takes, judged by how long the runs so far took."""

    def __init__(self, plan, filling):
        self.left, self.planned, self.spent, self.done, self.count = sum(plan) + filling, 0, 0, 0, len(plan)

    def took(self, planned, seconds):
        self.left, self.planned, self.spent, self.done = self.left - planned, self.planned + planned, self.spent + seconds, self.done + 1

    def __str__(self):
        left = self.left * (self.spent / self.planned if self.planned else 1)
        return f"run {self.done + 1} of {self.count}, {left // 60:.0f} min {left % 60:02.0f} s left"


def measure_all(machine, chosen, result):
    plans = {part: points_of(part, chosen) for part in chosen.only}
    every = [point for points in plans.values() for point in points]
    clock = Clock([point.expected(chosen) for point in every for _ in range(chosen.runs)], sum(map(Point.filling, every)))
    # A seed names the users of a run, by 24 bits of it: those of a filled store have to be known to it before.
    first = random.randrange(1 << 23)
    seeds = range(first, first + chosen.runs)
    machine.start_services()
    for part, points in plans.items():
        for point in points:
            if point.messages:
                machine.fill(point, seeds)
                clock.left -= point.filling()
        runs = [[] for _ in points]
        for seed in seeds:
            for point, found in zip(points, runs):
                say(f"{clock}: {part}, {point.series} at {point.x:,}")
                began = time.monotonic()
                found.append(figures(machine.measure(point, seed)))
                clock.took(point.expected(chosen), time.monotonic() - began)
                say("  CPU {cpu all:.0f} µs a message, mean {mean:.1f} ms, p99 {p99:.1f} ms".format(**found[-1]))
        measured = [{**vars(point), "runs": found} for point, found in zip(points, runs)]
        result["parts"][part] = {**{key: getattr(chosen, key) for key in ("runs", "seconds", "rate")}, "points": measured,
                                 "summary": summary(measured), "measured_at": time.strftime("%Y-%m-%d %H:%M")}
        (OUT / "growth.json").write_text(json.dumps(result, indent=1))


def main():
    chosen = options()
    OUT.mkdir(parents=True, exist_ok=True)
    python = python_with_matplotlib(sys.executable)
    file = OUT / "growth.json"
    # Parts that are not measured now stay as they are.
    result = json.loads(file.read_text()) if file.exists() else {"parts": {}}
    result["machine"] = f"{os.cpu_count()} cores, Linux {platform.release()}; services and generator on it too"
    if not chosen.plot:
        machine = Machine(chosen)
        try:
            measure_all(machine, chosen, result)
        finally:
            with uninterrupted():
                machine.close()
    (OUT / "growth.md").write_text(table(result))
    print((OUT / "growth.md").read_text())
    chosen.images.mkdir(parents=True, exist_ok=True)
    if subprocess.run([python, ROOT / "scripts/growth_plots.py", file, chosen.images]).returncode:
        raise Failed("the plots could not be drawn")


def interrupted(*_):
    raise KeyboardInterrupt


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)
    try:
        main()
    except Failed as failure:
        sys.exit(f"growth: {failure}")
    except subprocess.CalledProcessError as failure:
        sys.exit(f"growth: {failure.cmd[0]}: {(failure.stderr or 'failed').strip().splitlines()[-1]}")
    except KeyboardInterrupt:
        sys.exit("growth: stopped")
