"""Dockerfile and compose.yaml, as far as one can judge them without an engine. scripts/image-test.sh builds for real."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from settings import DEFAULTS, seconds, unknown
from support import BIN, ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
INSTRUCTIONS = re.findall(r"^([A-Z]+) (.*)$", DOCKERFILE.replace("\\\n", " "), re.M)
FINAL = INSTRUCTIONS[max(i for i, (word, _) in enumerate(INSTRUCTIONS) if word == "FROM"):]


def last(word):
    return [rest for name, rest in FINAL if name == word][-1]


def test_hadolint_has_nothing_to_say():
    subprocess.run([Path(sys.executable).parent / "hadolint", ROOT / "Dockerfile"], check=True)


def test_the_image_runs_the_binary_alone_as_a_numeric_user():
    assert last("USER") == "65532:65532"
    assert json.loads(last("ENTRYPOINT")) == ["/usr/local/bin/tidings"]
    assert last("HEALTHCHECK").endswith('CMD ["/usr/local/bin/tidings", "healthcheck"]')
    assert not [rest for word, rest in FINAL if word == "RUN"], "a distroless base has nothing to run"


def test_both_bases_can_be_replaced_and_pinned():
    arguments = dict(rest.split("=") for word, rest in INSTRUCTIONS if word == "ARG" and "=" in rest)
    bases = [rest.split()[0] for word, rest in INSTRUCTIONS if word == "FROM"]
    assert bases == ["${RUST_IMAGE}", "${RUNTIME_IMAGE}"]
    assert all(":" in arguments[base[2:-1]] and not arguments[base[2:-1]].endswith(":latest") for base in bases)


def test_the_build_is_locked_cached_and_plain():
    [build] = [rest for word, rest in INSTRUCTIONS if word == "RUN"]
    assert "--locked" in build and build.count("--mount=type=cache") == 2
    assert "<<" not in DOCKERFILE, "buildah 1.28 knows no heredocs"
    assert not {word for word, _ in INSTRUCTIONS} & {"ADD", "ONBUILD", "MAINTAINER"}


def test_the_labels_are_those_of_oci():
    assert set(re.findall(r"org\.opencontainers\.image\.(\w+)=", last("LABEL"))) >= {"title", "version", "revision", "licenses"}


def test_the_context_has_everything_that_the_code_embeds():
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for source in (ROOT / "src").rglob("*.rs"):
        text = source.read_text()
        paths = [source.parent / path for path in re.findall(r'include_(?:str|bytes)!\(\s*"([^"]+)"', text)]
        paths += [ROOT / path for path in re.findall(r'#\[folder = "([^"]+)"\]', text)]
        for path in paths:
            relative = path.resolve().relative_to(ROOT).as_posix()
            assert any(relative == keep or relative.startswith(keep + "/") for keep in kept), f"{source.name}: {relative}"


def test_the_context_has_every_file_that_cargo_looks_for():
    # Cargo refuses a manifest whose targets are not there, whatever it is to build.
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text())
    wanted = {target.get("path") or f"benches/{target['name']}.rs" for kind in ("bin", "test", "bench") for target in manifest.get(kind, [])}
    wanted |= {member for member in manifest["workspace"]["members"] if member != "."}
    assert len(wanted) > 3
    assert {path for path in wanted if not any(path == keep or path.startswith(keep + "/") for keep in kept)} == set()


@pytest.fixture(scope="module")
def compose():
    """compose.yaml as the library of Docker Compose understands it."""
    done = subprocess.run([BIN / "compose-go", "-format", "json", ROOT / "compose.yaml"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def test_compose_has_the_roles_the_services_and_the_watchers(compose):
    assert set(compose["services"]) == {"migrate", "gateway", "worker", "push", "postgres", "rabbitmq", "valkey", "prometheus", "grafana"}
    for role in ("gateway", "worker", "push"):
        assert compose["services"][role]["command"] == [role]
        assert compose["services"][role]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
        assert compose["services"][role]["read_only"] and compose["services"][role]["cap_drop"] == ["ALL"]


def test_compose_has_push_processes_sign_with_what_the_gateways_check_with(compose):
    secrets = [compose["services"][role]["environment"]["TIDINGS__AUTH__SIGNING_SECRET"] for role in ("gateway", "push")]
    assert secrets[0] == secrets[1] and len(secrets[0]) >= 32


def test_compose_sets_only_what_tidings_knows(compose):
    assert unknown({name for service in compose["services"].values() for name in service.get("environment") or {}}) == set()


def test_compose_is_on_loopback_and_names_versions(compose):
    for name, service in compose["services"].items():
        assert all(port["host_ip"] == "127.0.0.1" for port in service.get("ports", [])), name
        assert re.search(r":[\w.-]+$", service["image"]) and not service["image"].endswith(":latest"), name


def test_compose_mounts_files_that_are_there(compose):
    binds = [volume["source"] for service in compose["services"].values() for volume in service.get("volumes", [])
             if volume["type"] == "bind"]
    assert len(binds) == 5 and all(Path(source).exists() for source in binds)


def test_compose_waits_for_a_gateway_to_drain(compose):
    drain = DEFAULTS["drain"]
    needed = seconds(drain["window"]) + seconds(drain["flush_timeout"]) + seconds(drain["readiness_delay"])
    assert seconds(compose["services"]["gateway"]["stop_grace_period"]) > needed


def test_prometheus_of_compose_accepts_its_configuration():
    subprocess.run(["promtool", "check", "config", "--syntax-only", ROOT / "compose/prometheus.yaml"], check=True)


def test_prometheus_of_compose_gives_the_labels_that_the_dashboards_choose_by():
    [job] = yaml.safe_load((ROOT / "compose/prometheus.yaml").read_text())["scrape_configs"]
    assert {rule["target_label"] for rule in job["relabel_configs"]} == {"namespace", "pod"}


def test_grafana_of_compose_finds_the_dashboards():
    [provider] = yaml.safe_load((ROOT / "compose/grafana/dashboards.yaml").read_text())["providers"]
    text = (ROOT / "compose.yaml").read_text()
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in text
    [source] = yaml.safe_load((ROOT / "compose/grafana/datasources.yaml").read_text())["datasources"]
    assert source["isDefault"] and source["url"] == "http://prometheus:9090"
