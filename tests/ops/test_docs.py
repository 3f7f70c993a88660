"""The pages for operators: their links lead somewhere, and the settings and values that they name exist."""

import re

import pytest
import yaml

from chart import CHART
from settings import DEFAULTS
from support import ROOT, heading_anchors

PAGES = [ROOT / "docs/operations.md", ROOT / "docs/scaling.md", CHART / "README.md"]
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def has(tree, path):
    for key in path:
        # What every role may override stands in `defaults`.
        tree = tree.get(key) if isinstance(tree, dict) else None
        if tree is None:
            return False
    return True


def exists(name):
    path = name.split(".")
    if path[0] == "config":
        return has(DEFAULTS, path[1:])
    return has(VALUES, path) or has(DEFAULTS, path) or (path[0] in ("gateway", "worker", "push") and has(VALUES["defaults"], path[1:]))


@each_page
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        other = (page.parent / path) if path else page
        assert other.exists(), target
        assert not anchor or anchor in heading_anchors(other), target


@each_page
def test_settings_and_values_exist(page):
    sections = {"config", *VALUES, *DEFAULTS} - {"name"}
    named = re.findall(r"`(?:--set )?([a-z][a-zA-Z]*(?:\.[a-zA-Z_0-9]+)+)(?:[=:][^`]*)?`", page.read_text())
    named = [name for name in named if name.split(".")[0] in sections and not name.endswith((".p8", ".json"))]
    assert named
    assert [name for name in named if not exists(name)] == []


@pytest.mark.parametrize("name,known", [("config.queue.partitions", True), ("config.queue.shards", False),
                                        ("gateway.replicas", True), ("gateway.affinity", True), ("gateway.colour", False)])
def test_the_check_of_names_tells_them_apart(name, known):
    assert exists(name) == known
