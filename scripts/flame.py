#!/usr/bin/env python3
"""Draws a flame graph: perf script -i perf.data | scripts/flame.py "title" > flame.svg

Width is time, the bottom is where it began. Record with --call-graph dwarf: release builds keep no frame pointers.
"""
import html
import re
import sys

WIDTH, ROW, LEAST = 1200, 16, 0.3  # pixels; the narrowest box in percent
SKIPPED = re.compile(r"^(__clone3?|start_thread|std::sys::|core::ops::function|__rust_begin|std::panic|std::thread|<alloc::boxed::Box<F,A>)")


def fold(lines):
    """Samples as a tree of [weight, children]."""
    root = [0, {}]
    stack = []
    for line in [*lines, ""]:
        if line.strip():
            if line[0].isspace():
                found = re.match(r"\s+[0-9a-f]+\s+(.*?)(\+0x[0-9a-f]+)?(\s+\(.*\))?$", line)
                if found:
                    stack.append(found.group(1))
            else:
                thread = line.split()[0]
            continue
        if stack:
            names = [name for name in reversed(stack) if not SKIPPED.match(name) and name != "[unknown]"]
            node = root
            node[0] += 1
            for name in [thread, *names]:
                node = node[1].setdefault(short(name), [0, {}])
                node[0] += 1
        stack = []
    return root


def short(name):
    name = re.sub(r"::h[0-9a-f]{16}$", "", name)
    return re.sub(r"::\{\{closure\}\}", "", name)


def colour(name):
    if "::" not in name:
        return "#d9b36c" if not name.startswith("sqlite") else "#b5c46e"
    if "tidings" in name:
        return "#e0664f"
    if "tokio" in name or "mio" in name:
        return "#7fa8c9"
    return "#c99ac0"


def draw(node, name, left, depth, total, boxes):
    share = 100 * node[0] / total
    if share < LEAST:
        return
    boxes.append((name, left, share, depth))
    for child, inner in sorted(node[1].items()):
        draw(inner, child, left, depth + 1, total, boxes)
        left += 100 * inner[0] / total


def main():
    root = fold(sys.stdin.read().splitlines())
    if not root[0]:
        sys.exit("no samples")
    boxes = []
    draw(root, "all", 0.0, 0, root[0], boxes)
    height = (max(box[3] for box in boxes) + 3) * ROW
    title = html.escape(sys.argv[1] if len(sys.argv) > 1 else "flame graph")
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="11">')
    print(f'<rect width="100%" height="100%" fill="#fff"/><text x="6" y="14">{title} ({root[0]} samples)</text>')
    for name, left, share, depth in boxes:
        x, wide = left * WIDTH / 100, share * WIDTH / 100
        y = height - (depth + 1) * ROW
        text = name if len(name) * 6.7 < wide else name[: max(int(wide / 6.7) - 1, 0)]
        print(
            f'<g><title>{html.escape(name)} {share:.1f} %</title>'
            f'<rect x="{x:.1f}" y="{y}" width="{max(wide - 0.4, 0.3):.1f}" height="{ROW - 1}" fill="{colour(name)}"/>'
            + (f'<text x="{x + 2:.1f}" y="{y + 11}">{html.escape(text)}</text>' if len(text) > 2 else "")
            + "</g>"
        )
    print("</svg>")


main()
