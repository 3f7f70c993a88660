"""What several of the operations tests need."""

import contextlib
import re
import socket
import time
import urllib.error
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / "target/ops/bin"


def heading_anchors(page):
    """The anchors that GitHub and most renderers give to a page's headings."""
    headings = re.findall(r"^#+ +(.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(what, check, deadline=30):
    """Asks `check` until it is true; a refused connection counts as not yet."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        with contextlib.suppress(OSError, urllib.error.URLError):
            if check():
                return
        time.sleep(0.1)
    raise SystemExit(f"{what}: not within {deadline} s")
