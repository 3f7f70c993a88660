"""Operators' ports that expose the metrics of the table and let them move: what live_panels.py is tested with."""

import bisect
import random
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from threading import Lock, Thread

from promql import METRICS

OPEN_LABELS = {"version": ["0.1.0"], "revision": ["abc123"]}


class FakeRole:
    """One process. Each scrape moves every counter and histogram, so that every rate has a value."""

    def __init__(self, role, without=(), seed=1):
        self.role, self.random, self.lock = role, random.Random(seed), Lock()
        self.metrics = [metric for name, metric in METRICS.items() if name not in without]
        self.state = {}
        parent = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = parent.text().encode()
                self.send_response(200)
                self.send_header("content-type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """A scrape a second is no news."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def text(self):
        with self.lock:
            return "\n".join(line for metric in self.metrics for line in self.lines(metric)) + "\n"

    def lines(self, metric):
        name = metric["name"]
        yield f"# HELP {name} Something."
        yield f"# TYPE {name} {metric['type']}"
        labels = dict(metric["labels"]) | ({"role": [self.role]} if name == "tidings_build_info" else {})
        for values in product(*(OPEN_LABELS.get(label) or choice for label, choice in labels.items())):
            pairs = [f'{label}="{value}"' for label, value in zip(labels, values)]
            yield from self.series(metric, pairs)

    def series(self, metric, pairs):
        name, key = metric["name"], (metric["name"], *pairs)
        if metric["type"] == "gauge":
            value = 1 if name.endswith(("_info", "_up")) else self.random.randint(1, 900)
            yield f"{name}{brackets(pairs)} {value * (10**7 if name.endswith('timestamp_seconds') else 1)}"
        elif metric["type"] == "counter":
            self.state[key] = self.state.get(key, 0) + self.random.randint(1, 50)
            yield f"{name}{brackets(pairs)} {self.state[key]}"
        else:
            bounds = metric["buckets"]
            counts, total = self.state.setdefault(key, ([0] * (len(bounds) + 1), [0.0]))
            for _ in range(20):
                value = bounds[0] * self.random.lognormvariate(2, 1)
                counts[bisect.bisect_left(bounds, value)] += 1
                total[0] += value
            for number, bound in enumerate([*bounds, "+Inf"]):
                edge = f'le="{bound}"'
                yield f"{name}_bucket{brackets([*pairs, edge])} {sum(counts[:number + 1])}"
            yield f"{name}_sum{brackets(pairs)} {total[0]}"
            yield f"{name}_count{brackets(pairs)} {sum(counts)}"


def brackets(pairs):
    return "{" + ",".join(pairs) + "}" if pairs else ""
