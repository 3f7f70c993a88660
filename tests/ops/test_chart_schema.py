"""The chart renders for every file of ci/, and Kubernetes would accept what it renders."""

import json
import subprocess

import kubernetes_validate
import pytest
import yaml

from chart import CHART, CI, NEWEST, OLDEST, NAMESPACE, as_subchart, documents, helm, of_kind, rendered, template
from support import ROOT

each_ci = pytest.mark.parametrize("name", CI)
each_version = pytest.mark.parametrize("version", [OLDEST, NEWEST])
OF_KUBERNETES = ("v1", "apps/v1", "batch/v1", "policy/v1", "autoscaling/v2", "networking.k8s.io/v1")


def custom(docs):
    return [doc for doc in docs if doc["apiVersion"] not in OF_KUBERNETES]


def validate_custom(docs):
    script = ROOT / "tests/ops/validate_custom_resources.mjs"
    return subprocess.run(["node", script, ROOT / "target/ops/npm"], input=json.dumps(docs), capture_output=True, text=True)


def test_the_newest_kubernetes_is_the_newest_that_schemas_exist_for():
    assert kubernetes_validate.latest_version().startswith(NEWEST)


def test_ci_covers_what_it_should():
    assert set(CI) == {"minimal", "everything", "external-secrets", "keda", "gateway-api", "ingress", "subchart"}


@each_ci
def test_lint_is_content(name):
    helm("lint", "--strict", CHART, "-f", CI[name])


@each_ci
def test_helm_3_renders_the_same_objects(name):
    helm("lint", "--strict", CHART, "-f", CI[name], program="helm3")
    values = ("-f", CI[name])
    assert documents(template(*values, program="helm3").stdout) == rendered(name)


def test_helm_3_refuses_a_value_that_nobody_knows():
    refused = template("-f", CI["minimal"], "--set", "gatway.replicas=1", program="helm3", check=False)
    assert refused.returncode != 0 and "gatway" in refused.stderr


@each_ci
@each_version
def test_kubernetes_knows_every_field(name, version):
    docs = rendered(name, version)
    assert docs
    for doc in docs:
        if doc not in custom(docs):
            kubernetes_validate.validate(doc, version, strict=True)


@each_ci
def test_custom_resources_fit_their_schemas(name):
    docs = custom(rendered(name))
    done = validate_custom(docs)
    assert done.returncode == 0, done.stdout + done.stderr


def test_all_kinds_of_custom_resources_are_tried():
    kinds = {doc["kind"] for name in CI for doc in custom(rendered(name))}
    assert kinds == {"ServiceMonitor", "PrometheusRule", "ScaledObject", "HTTPRoute"}


@pytest.mark.parametrize("doc", [
    {"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor", "metadata": {"name": "x"}, "spec": {}},
    {"apiVersion": "monitoring.coreos.com/v1", "kind": "NoSuchKind", "metadata": {"name": "x"}, "spec": {}},
    {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x"}},
    {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "x"}, "spec": {"rules": [{"timeouts": {"request": "never"}}]}},
], ids=lambda doc: doc["kind"])
def test_the_check_of_custom_resources_finds_mistakes(doc):
    done = validate_custom([doc])
    assert done.returncode == 1 and doc["kind"] in done.stdout


@pytest.mark.parametrize("doc", [
    {"apiVersion": "v1", "kind": "NoSuchKind", "metadata": {"name": "x"}},
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"portz": []}},
], ids=lambda doc: doc["kind"])
def test_the_check_of_kubernetes_objects_finds_mistakes(doc):
    with pytest.raises((kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError)):
        kubernetes_validate.validate(doc, NEWEST, strict=True)


@each_ci
def test_rendering_twice_gives_the_same_bytes(name):
    assert template("-f", CI[name]).stdout == template("-f", CI[name]).stdout


@pytest.mark.parametrize("setting,message", [
    ("postgres.url=", "Set postgres.url or postgres.existingSecret.name"),
    ("rabbitmq.url=", "Set rabbitmq.url"),
    ("redis.url=", "Set redis.url"),
    ("auth.hs256Secret=", "another way to check tokens"),
    ("postgres.url=mysql://db", "/postgres/url"),
    ("auth.hs256Secret=short", "/auth/hs256Secret"),
    ("gateway.replica=3", "replica"),
    ("nosuchthing=1", "nosuchthing"),
    ("config.drain.window=5s", "drain.windowSeconds"),
    ("config.server.listen=1.2.3.4:80", "set by another value"),
    ("config.postgres.url=postgres://x", "set by another value"),
    ("apns.key=x,apns.teamId=y", "apns.keyId or apns.existingSecret.keyIdKey"),
    ("apns.key=x,apns.keyId=y", "Set apns.teamId"),
    ("apns.key=x,apns.keyId=y,apns.teamId=z,apns.certificateExistingSecret.name=c", "not both"),
    ("config.apns.key_id=x,apns.keyId=y", "set by another value"),
    ("httpRoute.enabled=true", "httpRoute.parentRefs"),
    ("ingress.enabled=true", "ingress.hosts"),
    ("worker.autoscaling.enabled=true,worker.autoscaling.targetCPU=0", "needs something to aim at"),
    ("drain.windowSeconds=soon", "/drain/windowSeconds"),
])
def test_a_wrong_value_is_refused_with_a_sentence(setting, message):
    done = template("-f", CI["minimal"], "--set", setting, check=False)
    assert done.returncode != 0 and message in done.stderr


def test_an_older_kubernetes_is_refused():
    assert "1.30" in template("-f", CI["minimal"], version="1.29", check=False).stderr


def test_the_chart_works_as_a_dependency(tmp_path):
    docs = documents(template(chart=as_subchart("subchart", tmp_path)).stdout)
    alone = rendered("subchart")
    assert sorted((d["kind"], d["metadata"]["name"]) for d in docs) == sorted((d["kind"], d["metadata"]["name"]) for d in alone)
    for doc in of_kind(docs, "Deployment"):
        spec = doc["spec"]["template"]["spec"]
        assert spec["containers"][0]["image"].startswith("registry.example.com/tidings:")
        assert spec["imagePullSecrets"] == [{"name": "shared-pull"}]


def test_a_parent_can_switch_the_dependency_off(tmp_path):
    done = template("--set", "tidings.enabled=false", chart=as_subchart("subchart", tmp_path))
    assert documents(done.stdout) == []


def test_the_packaged_chart_renders_the_same(tmp_path):
    helm("package", CHART, "-d", tmp_path)
    package = tmp_path / "tidings-0.1.0.tgz"
    assert template("-f", CI["everything"], chart=package).stdout == template("-f", CI["everything"]).stdout


def test_rules_and_dashboards_are_the_very_files(tmp_path):
    docs = rendered("everything")
    [rule] = of_kind(docs, "PrometheusRule")
    text = (ROOT / "grafana/rules.yaml").read_text()
    moved = text.replace("runbook_url: docs/", "runbook_url: https://docs.example.com/tidings/docs/")
    assert rule["spec"] == yaml.safe_load(moved)
    boards = [doc for doc in of_kind(docs, "ConfigMap") if "-dashboard-" in doc["metadata"]["name"]]
    shipped = {name.removeprefix("tidings-"): data for doc in boards for name, data in doc["data"].items()}
    assert shipped == {path.name: path.read_text().rstrip("\n") for path in (ROOT / "grafana/dashboards").glob("*.json")}
    assert all(doc["metadata"]["labels"]["grafana_dashboard"] == "1" for doc in boards)
    [plain] = of_kind(documents(template("-f", CI["minimal"], "--set", "metrics.prometheusRule.enabled=true").stdout), "PrometheusRule")
    assert plain["spec"] == yaml.safe_load(text)
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(rule["spec"]))
    subprocess.run(["promtool", "check", "rules", path], check=True)


def test_the_notes_say_where_to_connect_and_how_to_try():
    notes = helm("install", "t", CHART, "-n", NAMESPACE, "-f", CI["gateway-api"], "--dry-run=client").stdout
    assert "wss://chat.example.com/chat/v1/ws" in notes and "helm -n chat test t" in notes


def test_the_examples_name_the_secrets_that_the_values_beside_them_use():
    """The two operators' kinds have no schema here, so only what is Kubernetes' own is validated."""
    for path in (CHART / "examples").glob("*.yaml"):
        comment = " ".join(line.removeprefix("#") for line in path.read_text().splitlines() if line.startswith("#   "))
        values = yaml.safe_load(comment)
        docs = documents(path.read_text())
        for doc in docs:
            if doc["apiVersion"] in OF_KUBERNETES:
                kubernetes_validate.validate(doc, NEWEST, strict=True)
        [(service, settings)] = values.items()
        assert docs[0]["metadata"]["name"] in json.dumps(settings)
        args = ["-f", CI["minimal"], "--set-json", f"{service}={json.dumps(settings)}"]
        assert documents(template(*args).stdout)
