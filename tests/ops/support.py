"""What several of the operations tests need."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / "target/ops/bin"


def heading_anchors(page):
    """The anchors that GitHub and most renderers give to a page's headings."""
    headings = re.findall(r"^#+ +(.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
