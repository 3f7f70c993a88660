"""live_panels.py itself: content with processes that expose all of the table, and it sees what is missing."""

import contextlib

import live_panels
from fake_roles import FakeRole


def run(out=None, without=(), seconds=12):
    with contextlib.ExitStack() as stack:
        roles = [stack.enter_context(FakeRole(role, without, seed)) for seed, role in enumerate(("gateway", "worker", "push"))]
        targets = [f"{role.role}-0={role.url}" for role in roles]
        return live_panels.main([*(["--out", str(out)] if out else []), "--seconds", str(seconds), *targets])


def test_every_panel_has_data_when_every_metric_is_there(tmp_path, capfd):
    assert run(tmp_path) == 0, capfd.readouterr().err
    pictures = sorted(path.name for path in tmp_path.glob("*.png"))
    assert pictures == [f"dashboard-{name}.png" for name in ("gateway", "overview", "push", "rollout", "worker")]
    assert all(path.stat().st_size > 20_000 for path in tmp_path.glob("*.png"))


def test_a_panel_without_data_is_named(capfd):
    assert run(without=["tidings_resyncs_total"], seconds=4) == 1
    problems = capfd.readouterr().err
    assert "gateway / Resync / {{reason}}: no data" in problems
    assert "no process exposes tidings_resyncs_total" in problems
