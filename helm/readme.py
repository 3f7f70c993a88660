#!/usr/bin/env python3
"""Writes the table of values in helm/tidings/README.md from the `# --` comments of values.yaml.

`--check` writes nothing and fails when the table is out of date or a value has no comment.
"""

import re
import sys
from pathlib import Path

import yaml

CHART = Path(__file__).resolve().parent / "tidings"
BEGIN, END = "<!-- values: begin, made by helm/readme.py -->", "<!-- values: end -->"


def documented(text):
    """(path, comment) of every key that a `# --` comment stands before, in order."""
    open_keys, comment = [], []
    for line in text.splitlines():
        if note := re.match(r" *# -- (.*)", line):
            comment = [note[1]]
        elif comment and (more := re.match(r" *# (.*)", line)):
            comment.append(more[1])
        elif key := re.match(r"( *)(\w+):", line):
            depth = len(key[1]) // 2
            open_keys = open_keys[:depth] + [key[2]]
            if comment:
                yield ".".join(open_keys), " ".join(comment)
            comment = []


def leaves(node, path=()):
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from leaves(value, (*path, key))
    else:
        yield ".".join(path)


def shown(value):
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("...\n").strip()
    return f"`{text}`".replace("|", "\\|")


def table(text):
    values, rows, comments = yaml.safe_load(text), [], list(documented(text))
    for path, comment in comments:
        value = values
        for key in path.split("."):
            value = value[key]
        rows.append(f"| `{path}` | {shown(value)} | {comment} |")
    paths = [path for path, _ in comments]
    bare = [leaf for leaf in leaves(values) if not any(leaf == p or leaf.startswith(p + ".") for p in paths)]
    if bare:
        sys.exit(f"no `# --` comment in values.yaml: {', '.join(bare)}")
    return "\n".join(["| value | default | meaning |", "|---|---|---|", *rows])


def main():
    readme = CHART / "README.md"
    old = readme.read_text()
    before, rest = old.split(BEGIN)
    after = rest.split(END)[1]
    new = f"{before}{BEGIN}\n{table((CHART / 'values.yaml').read_text())}\n{END}{after}"
    if "--check" in sys.argv[1:]:
        if new != old:
            sys.exit("helm/tidings/README.md is out of date: run helm/readme.py")
    else:
        readme.write_text(new)


if __name__ == "__main__":
    main()
