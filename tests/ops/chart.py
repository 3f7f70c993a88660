"""Rendering the chart, and finding one's way in what it rendered."""

import functools
import os
import subprocess
import tempfile
from pathlib import Path

import yaml

from support import BIN, ROOT

CHART = ROOT / "helm/tidings"
CI = {path.stem: path for path in sorted((CHART / "ci").glob("*.yaml"))}
OLDEST, NEWEST = "1.30", "1.37"
RELEASE, NAMESPACE = "t", "chat"
ROLES = ("gateway", "worker", "push")
# What the values of ci/ say somebody else made.
GIVEN = {
    "external-secrets": {"chat-db-app", "chat-db-ca", "chat-rabbit-default-user", "chat-rabbit-ca", "chat-redis", "chat-redis-ca",
                         "chat-auth", "chat-apns", "chat-fcm", "chat-webpush", "chat-proxy", "made-elsewhere"},
    "everything": {"chat-tls", "shared-pull", "own-pull"},
    "ingress": {"chat-postgres", "chat-rabbitmq", "chat-redis", "chat-tls"},
    "subchart": {"chat-postgres", "chat-rabbitmq", "chat-redis", "chat-auth", "shared-pull"},
    "gateway-api": {"chat-postgres", "chat-rabbitmq", "chat-redis", "chat-auth"},
    "keda": {"chat-postgres", "chat-rabbitmq", "chat-redis", "chat-auth", "chat-apns-certificate", "chat-tls", "chat-public-keys"},
}


def helm(*args, check=True, program="helm"):
    # helm tells for every linked file that it follows the link; only what goes wrong matters here.
    with tempfile.TemporaryDirectory() as home:
        env = os.environ | {f"HELM_{kind}_HOME": f"{home}/{kind.lower()}" for kind in ("CACHE", "CONFIG", "DATA")}
        done = subprocess.run([BIN / program, *map(str, args)], capture_output=True, text=True, env=env)
    if check and done.returncode:
        raise AssertionError(done.stderr)
    return done


def template(*args, chart=CHART, version=NEWEST, release=RELEASE, **how):
    return helm("template", release, chart, "-n", NAMESPACE, "--kube-version", version, *args, **how)


def documents(text):
    return [doc for doc in yaml.safe_load_all(text) if doc]


@functools.cache
def rendered(name, version=NEWEST):
    """The objects that a file of ci/ makes."""
    return documents(template("-f", CI[name], version=version).stdout)


def minimal(*settings):
    """The objects of ci/minimal.yaml with `--set` arguments."""
    args = [part for setting in settings for part in ("--set", setting)]
    return documents(template("-f", CI["minimal"], *args).stdout)


def of_kind(docs, *kinds):
    return [doc for doc in docs if doc["kind"] in kinds]


def deployment(docs, role):
    return next(d for d in of_kind(docs, "Deployment") if d["metadata"]["labels"]["app.kubernetes.io/component"] == role)


def pods(docs):
    """(name, labels, spec) of everything that makes pods."""
    for doc in docs:
        if doc["kind"] == "Pod":
            yield doc["metadata"]["name"], doc["metadata"]["labels"], doc["spec"]
        elif doc["kind"] in ("Deployment", "Job"):
            made = doc["spec"]["template"]
            yield doc["metadata"]["name"], made["metadata"]["labels"], made["spec"]


def hook(doc):
    """The moments at which a hook runs and its weight; None for an object of the release itself."""
    notes = doc["metadata"].get("annotations") or {}
    if "helm.sh/hook" not in notes:
        return None
    return notes["helm.sh/hook"].split(","), int(notes.get("helm.sh/hook-weight", 0))


def environment(spec):
    return {entry["name"]: entry.get("value") for entry in spec["containers"][0].get("env", [])}


def selects(selector, labels):
    return selector.items() <= labels.items()


def as_subchart(name, folder):
    """A parent chart in `folder` that has Tidings as a dependency, with a file of ci/ as its values."""
    parent = Path(folder) / "parent"
    (parent / "charts").mkdir(parents=True)
    dependency = {"name": "tidings", "version": "0.1.0", "repository": "", "condition": "tidings.enabled"}
    meta = {"apiVersion": "v2", "name": "parent", "version": "1.0.0", "dependencies": [dependency]}
    (parent / "Chart.yaml").write_text(yaml.safe_dump(meta))
    (parent / "charts/tidings").symlink_to(CHART)
    values = yaml.safe_load(CI[name].read_text())
    (parent / "values.yaml").write_text(yaml.safe_dump({"global": values.pop("global"), "tidings": values}))
    return parent
