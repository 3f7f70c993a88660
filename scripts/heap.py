#!/usr/bin/env python3
"""What a process still holds of what it allocated meanwhile, by who asked for it.

    scripts/heap.py --program target/release/tidings --pid $(pgrep -n tidings) --seconds 14 --per 200

Begin it, wait until it says that it watches, let 200 sockets come (`tidings-loadtest run … --sockets 200 --connect-rate 100`), and read the bytes of each. It sets
probes on mimalloc's entry points (root; the program with its symbols), so every allocation costs a trap: for memory, never for times.
"""
import argparse
import collections
import pathlib
import re
import subprocess
import sys
import tempfile

PROBES = [
    "heap_new=mi_malloc_aligned size=%di:u64",
    "heap_new_ret=mi_malloc_aligned%return addr=$retval:x64",
    "heap_zero=mi_zalloc_aligned size=%di:u64",
    "heap_zero_ret=mi_zalloc_aligned%return addr=$retval:x64",
    "heap_grow=mi_realloc_aligned old=%di:x64 size=%si:u64",
    "heap_grow_ret=mi_realloc_aligned%return addr=$retval:x64",
    "heap_free=mi_free addr=%di:x64",
]
EVENT = re.compile(r"\s*(\d+)\s+[\d.]+:\s+probe_\w+:heap_(\w+):\s+\(\S+(?: <- \S+)?\)(.*)")
# Frames that everybody has.
SKIPPED = re.compile(r"(mi_|_?_rust|__rustc|<?(alloc|core|std|hashbrown)::|\[)")


def field(text, name):
    found = re.search(name + r"=(\w+)", text)
    return int(found.group(1), 0) if found else 0


class Heap:
    """Allocations that are alive: address to size and stack."""

    def __init__(self):
        self.alive = {}
        # Of each thread, what it asked for and has not got yet.
        self.asked = collections.defaultdict(list)

    def read(self, lines):
        event, stack = None, []
        for line in lines:
            found = EVENT.match(line)
            if found:
                self.apply(event, stack)
                event, stack = found.groups(), []
            elif line.strip():
                stack.append(line.split(maxsplit=1)[-1].strip())
        self.apply(event, stack)

    def apply(self, event, stack):
        if event is None:
            return
        thread, kind, arguments = event
        if kind in ("new", "zero", "grow"):
            self.asked[thread].append((field(arguments, "size"), field(arguments, "old"), stack))
        elif kind == "free":
            self.alive.pop(field(arguments, "addr"), None)
        elif self.asked[thread]:
            size, old, stack = self.asked[thread].pop()
            self.alive.pop(old, None)
            self.alive[field(arguments, "addr")] = (size, stack)

    def table(self, per):
        groups = collections.Counter()
        for size, stack in self.alive.values():
            callers = [name for name in stack if not SKIPPED.match(name)]
            groups[size, " < ".join(callers[:4])] += 1
        total = sum(size for size, _ in self.alive.values())
        yield f"{total / per:8.0f} bytes each, of which"
        for (size, callers), count in sorted(groups.items(), key=lambda item: -item[0][0] * item[1])[:40]:
            yield f"{size * count / per:8.1f} = {count / per:5.2f} of {size:6}  {callers[:200]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="the program's file")
    parser.add_argument("--pid", required=True, help="the running process")
    parser.add_argument("--seconds", default="14", help="how long to watch")
    parser.add_argument("--per", type=int, default=1, help="divide by so many, as sockets that came meanwhile")
    args = parser.parse_args()
    group = "probe_" + re.split(r"\W", pathlib.Path(args.program).name)[0]
    try:
        for probe in PROBES:
            subprocess.run(["perf", "probe", "-q", "-x", args.program, probe], check=True)
        with tempfile.TemporaryDirectory() as folder:
            data = f"{folder}/heap.perf"
            record = ["perf", "record", "-q", "-o", data, "-e", f"{group}:heap_*", "-p", args.pid]
            print(f"heap.py: watching for {args.seconds} s from now", file=sys.stderr, flush=True)
            subprocess.run([*record, "--call-graph", "dwarf,4096", "-m", "16384", "--", "sleep", args.seconds], check=True)
            script = ["perf", "script", "-i", data, "--no-inline", "-F", "tid,time,event,trace,ip,sym"]
            heap = Heap()
            # It tells of kinds of events that are not recorded here that they have no trace.
            with subprocess.Popen(script, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as printed:
                heap.read(printed.stdout)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"heap.py: {error}; it needs root and perf (Debian: linux-perf)")
    finally:
        subprocess.run(["perf", "probe", "-q", "-d", f"{group}:heap_*"], check=False)
    print("\n".join(heap.table(args.per)))


if __name__ == "__main__":
    main()
