"""The services and the processes of scripts/growth.py: what a run is made on, and what makes it."""
import contextlib
import itertools
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
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


def say(line):
    print(f"growth: {line}", flush=True)


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


GIVEN = set()


def free_port():
    """A port that was free a moment ago, below those that the system lends to connecting sockets. None is given twice: a process that
    was told one takes it some time later."""
    while True:
        port = random.randrange(10_000, 30_000)
        with contextlib.closing(socket.socket()) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in GIVEN:
                GIVEN.add(port)
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
        """One run; its report."""
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
        return found


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
