#!/usr/bin/env python3
"""Writes grafana/dashboards/*.json from grafana/boards/*.py. `--check` writes nothing and fails when one differs."""

import importlib
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BOARDS = ["overview", "gateway", "worker", "push", "rollout"]


def built():
    """The text of every dashboard by its path."""
    sys.path.insert(0, str(HERE))
    texts = {}
    for name in BOARDS:
        board = importlib.import_module(f"boards.{name}").BOARD
        texts[HERE / "dashboards" / f"{name}.json"] = json.dumps(board, indent=2) + "\n"
    return texts


def main():
    check = "--check" in sys.argv[1:]
    stale = []
    for path, text in built().items():
        if check and (not path.exists() or path.read_text() != text):
            stale.append(path.name)
        if not check:
            path.write_text(text)
    if stale:
        sys.exit(f"out of date, run grafana/build.py: {', '.join(stale)}")


if __name__ == "__main__":
    main()
