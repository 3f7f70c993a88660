#!/usr/bin/env python3
"""Measures how the cost of a message grows: with gateways and workers, with the stored log, with sockets.

Every point is the median of some runs of `tidings-loadtest run` (pairs), shown with the lowest and the highest. A run has processes of
its own and, but for a filled log, a database of its own; the points take turns, so that a machine that changes changes them all. Leaves
target/growth/growth.json, a table beside it, and the plots. The first broken promise ends it.
  TIDINGS, LOADTEST   programs to take instead of those in target/release
"""
import argparse
import contextlib
import itertools
import json
import os
import pathlib
import platform
import random
import re
import resource
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

import growth_log

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "target/growth"
SERVICES = {"postgres": "pg/data/postmaster.pid", "redis": "redis/pid", "rabbitmq": "rmq/pid"}
SECRET = "only-for-this-run-only-for-this-run"
READY_WITHIN, STOP_WITHIN, RUN_WITHIN = 60, 30, 400  # seconds
BYTES_A_MESSAGE = 1500  # of the disk for a stored one: both stores, indexes, write-ahead log
FILES_RESERVED = 300  # of the limit, by gateway and generator


class Failed(Exception):
    """Said in one line."""


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


def programs(chosen):
    """The two programs, once it is known that nothing else is missing either."""
    found = {}
    for variable, name in (("TIDINGS", "tidings"), ("LOADTEST", "tidings-loadtest")):
        found[variable] = pathlib.Path(os.environ.get(variable) or ROOT / "target/release" / name)
        if not os.access(found[variable], os.X_OK):
            raise Failed(f"{found[variable]} is not there: cargo build --release --workspace --bins, or set {variable}")
    if not shutil.which("psql"):
        raise Failed("install the Debian package postgresql-client")
    if sqlite3.sqlite_version_info < (3, 37):
        raise Failed(f"Python's SQLite is {sqlite3.sqlite_version}, and 3.37 is needed to fill the log")
    most = max([chosen.sockets, *(chosen.socket_counts if "sockets" in chosen.only else [])])
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if files != resource.RLIM_INFINITY and files < most + FILES_RESERVED:
        raise Failed(f"{most} sockets do not fit into a hard file limit of {files}")
    wanted = sum(chosen.messages) * BYTES_A_MESSAGE if "log" in chosen.only else 0
    if shutil.disk_usage(tempfile.gettempdir()).free < wanted:
        raise Failed(f"{wanted / 1e9:.0f} GB are needed in {tempfile.gettempdir()} for the stored messages")
    return found


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


def say(line):
    print(f"growth: {line}", flush=True)


def free_port():
    """A port that was free a moment ago, below those that the system lends to connecting sockets."""
    while True:
        port = random.randrange(10_000, 30_000)
        with contextlib.closing(socket.socket()) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def uninterrupted():
    """A Ctrl-C comes afterwards: what starts has to be known before it can be stopped, and is to be stopped whole."""
    wanted = []
    before = {number: signal.signal(number, lambda *_: wanted.append(1)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if wanted:
        raise KeyboardInterrupt


class Machine:
    """The services, and everything that was started; `close` leaves nothing behind."""

    def __init__(self, chosen):
        self.chosen, self.programs = chosen, programs(chosen)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidings-growth-"))
        self.folder.chmod(0o755)  # Postgres runs as a user of its own
        self.environment = dict(os.environ, TIDINGS__AUTH__HS256_SECRET=SECRET, TIDINGS__LOG__FORMAT="json")
        self.running = []
        # Conversations of what was filled in, by data folder or database.
        self.filled = {}

    def start_services(self):
        say("starting Postgres, Redis and RabbitMQ")
        command = [ROOT / "scripts/stack.sh", "up", self.folder / "stack"]
        with uninterrupted():
            done = subprocess.run(command, capture_output=True, text=True, start_new_session=True)
        if done.returncode:
            raise Failed(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "scripts/stack.sh failed")
        self.environment.update(re.findall(r"^export (\w+)=(\S+)$", done.stdout, re.M))
        self.database = self.environment["TIDINGS__POSTGRES__URL"].rsplit("/", 1)[0]

    def close(self):
        for _, process, _, _ in self.running:
            process.kill()  # nothing is measured any more, so nothing has to drain
        self.stop()
        subprocess.run([ROOT / "scripts/stack.sh", "down", self.folder / "stack"], start_new_session=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name, role, environment, *more):
        port, ops = free_port(), free_port()
        environment = dict(environment, TIDINGS__SERVER__LISTEN=f"127.0.0.1:{port}", TIDINGS__SERVER__OPS_LISTEN=f"127.0.0.1:{ops}")
        log = self.folder / f"{name}.log"
        with open(log, "w") as out:
            command = [self.programs["TIDINGS"], role, *more]
            process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)
        self.running.append((name, process, ops, log))
        return f"ws://127.0.0.1:{port}/v1/ws"

    def stop(self):
        running, self.running = self.running, []
        for _, process, _, _ in running:
            process.terminate()
        for name, process, _, _ in running:
            try:
                process.wait(STOP_WITHIN)
            except subprocess.TimeoutExpired:
                say(f"{name} did not stop in time and is killed")
                process.kill()
                process.wait()

    def until(self, what, holds):
        deadline = time.monotonic() + READY_WITHIN
        while not holds():
            dead = [name for name, process, _, _ in self.running if process.poll() is not None]
            if dead or time.monotonic() > deadline:
                what = f"{dead[0]} ended" if dead else f"{what} after {READY_WITHIN} s"
                raise Failed(f"{what}; logs in {keep(self.folder)}")
            time.sleep(0.05)

    def ready(self):
        def answers(ops):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{ops}/healthz/ready", timeout=5) as answer:
                return answer.status == 200

        for name, _, ops, _ in self.running:
            self.until(f"{name} is not ready", lambda: answers(ops))

    def place(self, point):
        """The data folder or the database of a point."""
        if point.embedded:
            return self.folder / f"dev-{point.messages}"
        return f"{self.database}/growth_{point.messages}"

    def empty(self, point, environment):
        place = self.place(point)
        if point.embedded:
            return shutil.rmtree(place, ignore_errors=True)
        name = place.rsplit("/", 1)[1]
        growth_log.psql(f"{self.database}/postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}")
        migrated = subprocess.run([self.programs["TIDINGS"], "migrate"], env=environment, capture_output=True, start_new_session=True)
        if migrated.returncode:
            raise Failed("`tidings migrate` failed")

    def fill(self, point, seeds):
        """Stores the messages of a point, and the users of its runs."""
        place = self.place(point)
        self.empty(point, dict(self.environment, TIDINGS__POSTGRES__URL=str(place)))
        if point.embedded:
            self.start("dev", "dev", self.environment, "--data-dir", place)
            self.ready()
            self.stop()
        rows = growth_log.conversations(point.messages, seeds, point.sockets)
        if point.embedded:
            growth_log.sqlite(place / "tidings.sqlite", rows, point.messages, lambda line: say(f"filling SQLite: {line}"))
        else:
            growth_log.postgres(place, rows, point.messages, lambda line: say(f"filling Postgres: {line}"))
        os.sync()
        self.filled[place] = len(rows)

    def check_filled(self, point):
        """The run wrote to the conversations that were there for it."""
        place, count = self.place(point), "SELECT count(*) FROM conversations"
        if place in self.filled:
            there = growth_log.sqlite_number(place / "tidings.sqlite", count) if point.embedded else growth_log.postgres_number(place, count)
            if there != self.filled[place]:
                raise Failed("a run made conversations of its own: scripts/growth_log.py and loadtest/src/plan.rs do not agree")

    def embedded(self, point):
        """Starts `tidings dev`; answers its URLs."""
        if not point.messages:
            self.empty(point, self.environment)
        url = self.start("dev", "dev", self.environment, "--data-dir", self.place(point))
        self.ready()
        return [url]

    def roles(self, point):
        """Starts workers and gateways; answers their URLs."""
        # Names of their own for each number of partitions, which must not change under a running installation.
        environment = dict(
            self.environment,
            TIDINGS__POSTGRES__URL=self.place(point),
            TIDINGS__QUEUE__PARTITIONS=str(point.partitions),
            TIDINGS__RABBITMQ__PREFIX=f"growth{point.partitions}",
            TIDINGS__REDIS__PREFIX=f"growth{point.partitions}",
        )
        if not point.messages:
            self.empty(point, environment)
        numbers = range(1, point.gateways + 1)
        for number in numbers:
            self.start(f"worker {number}", "worker", environment)
        urls = [self.start(f"gateway {number}", "gateway", environment) for number in numbers]
        self.ready()
        # The partitions have found their workers.
        share = -(-point.partitions // point.gateways)
        workers = [log for name, _, _, log in self.running if name.startswith("worker")]
        self.until("workers do not share the partitions", lambda: all(owned(log) <= share for log in workers)
                   and sum(map(owned, workers)) == point.partitions)
        return urls

    def measure(self, point, seed):
        """One run; its figures."""
        urls = (self.embedded if point.embedded else self.roles)(point)
        # Neighbours by number write to each other. Each pair of gateways has as many of them as any other, as chance would have it.
        spread = [url for pair in itertools.product(urls, repeat=2) for url in pair]
        report = self.folder / "report"
        shutil.rmtree(report, ignore_errors=True)
        command = [self.programs["LOADTEST"], "run", ROOT / "loadtest/scenarios/pairs.toml", "--quiet", "--out", report]
        for url in spread:
            command += ["--url", url]
        for name, process, _, _ in self.running:
            command += ["--pid", f"{name}={process.pid}"]
        if not point.embedded:
            for name, file in SERVICES.items():
                pid = (self.folder / "stack" / file).read_text().split()[0]
                command += ["--pid", f"{name}={pid}+"]
        for option, value in (("sockets", point.sockets), ("rate", self.chosen.rate), ("seed", seed),
                              ("duration", f"{self.chosen.seconds}s"), ("warmup", f"{point.warmup(self.chosen.rate)}s")):
            command += [f"--{option}", str(value)]
        environment = dict(self.environment, TIDINGS_LOADTEST_HS256_SECRET=SECRET)
        done = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        try:
            output, _ = done.communicate(timeout=RUN_WITHIN)
        except subprocess.TimeoutExpired:
            raise Failed(f"a run did not end within {RUN_WITHIN} s") from None
        finally:
            done.kill()
        if done.returncode not in (0, 1):
            raise Failed(f"a run failed: {output.strip().splitlines()[-1]}; logs in {keep(self.folder)}")
        found = json.loads((report / "report.json").read_text())
        if done.returncode:
            broken = ", ".join(f"{count} {fault}" for fault, count in found["verdict"]["counts"].items() if count)
            raise Failed(f"broken promises: {broken}; report and logs in {keep(self.folder)}")
        self.stop()
        self.check_filled(point)
        return figures(found)


def owned(log):
    """Partitions of a worker, by what it logged."""
    text = log.read_text()
    return text.count('"worker.own"') - text.count('"worker.release"')


def keep(folder):
    """Copies the last run's report and logs to where they stay."""
    kept = OUT / "failed"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    for log in folder.glob("*.log"):
        shutil.copy(log, kept)
    if (folder / "report").exists():
        shutil.copytree(folder / "report", kept / "report")
    return kept.relative_to(ROOT)


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
                found.append(machine.measure(point, seed))
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
