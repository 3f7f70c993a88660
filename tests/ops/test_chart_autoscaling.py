"""Autoscaling that is switched on for a running release: the chart looks at the Deployment that is there and refuses to lose its pods.
`make chart-live` shows on a real API server what would happen; here a server answers with a Deployment of our making."""

import http.server
import json
import threading

import pytest
import yaml

from chart import CI, deployment, documents, of_kind, template

RESOURCES = {
    "/api/v1": [("secrets", "Secret"), ("services", "Service"), ("serviceaccounts", "ServiceAccount"), ("pods", "Pod")],
    "/apis/apps/v1": [("deployments", "Deployment")],
    "/apis/batch/v1": [("jobs", "Job")],
    "/apis/policy/v1": [("poddisruptionbudgets", "PodDisruptionBudget")],
    "/apis/keda.sh/v1alpha1": [("scaledobjects", "ScaledObject")],
    "/apis/autoscaling/v2": [("horizontalpodautoscalers", "HorizontalPodAutoscaler")],
}
BY_HELM = {"manager": "helm", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {}}}}
HANDED_OVER = [{"manager": "helm", "operation": "Apply", "fieldsV1": {"f:spec": {"f:template": {}}}},
               {"manager": "kubectl", "operation": "Update", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]
BY_CLIENT = {"manager": "helm", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {}}}}


@pytest.fixture
def ask(tmp_path):
    """Renders with `settings` against a server that has these objects: (kind, name) to the object."""
    there = {}

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.partition("?")[0]
            groups = [{"groupVersion": folder.removeprefix("/apis/"), "version": folder.rpartition("/")[2]} for folder in RESOURCES if folder != "/api/v1"]
            body = {
                "/version": {"major": "1", "minor": "37", "gitVersion": "v1.37.0"},
                "/api": {"kind": "APIVersions", "versions": ["v1"]},
                "/apis": {"kind": "APIGroupList", "groups": [
                    {"name": one["groupVersion"].partition("/")[0], "versions": [one], "preferredVersion": one} for one in groups]},
            }.get(path)
            if path in RESOURCES:
                body = {"kind": "APIResourceList", "groupVersion": path.removeprefix("/apis/").removeprefix("/api/"), "resources": [
                    {"name": plural, "kind": kind, "namespaced": True, "verbs": ["get"]} for plural, kind in RESOURCES[path]]}
            elif body is None:
                body = there.get(tuple(path.split("/")[-2:]))
            status = 200 if body else 404
            text = json.dumps(body or {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = tmp_path / "kubeconfig"
    config.write_text(yaml.safe_dump({
        "apiVersion": "v1", "kind": "Config", "current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}], "users": [{"name": "x", "user": {}}]}))

    def asked(objects, *settings):
        there.clear()
        there.update(objects)
        args = [part for setting in settings for part in ("--set", setting)]
        return template("-f", CI["minimal"], "--dry-run=server", "--disable-openapi-validation", "--kubeconfig", config, *args, check=False)

    yield asked
    server.shutdown()
    server.server_close()


def of_release(kind, name, meta, **rest):
    notes = {"meta.helm.sh/release-name": "t", "meta.helm.sh/release-namespace": "chat"}
    meta = {"name": name, "namespace": "chat", "labels": {"app.kubernetes.io/managed-by": "Helm"}, "annotations": notes, **meta}
    return {(f"{kind.lower()}s", name): {"kind": kind, "metadata": meta, **rest}}


def live(owners, replicas=4, role="gateway"):
    return of_release("Deployment", f"t-tidings-{role}", {"managedFields": owners}, apiVersion="apps/v1", spec={"replicas": replicas})


def scaler(name):
    return of_release("HorizontalPodAutoscaler", name, {}, apiVersion="autoscaling/v2")


@pytest.mark.parametrize("role", ["gateway", "worker", "push"])
def test_it_is_refused_while_helm_owns_the_number_of_pods(ask, role):
    done = ask(live([BY_HELM], role=role), f"{role}.autoscaling.enabled=true")
    assert done.returncode != 0 and f"from 4 pods to 1 before it begins. First hand the number over: kubectl -n chat scale deployment/t-tidings-{role} --replicas=5" in done.stderr


def test_it_is_refused_with_another_way_for_a_release_applied_by_the_client(ask):
    done = ask(live([BY_CLIENT]), "gateway.autoscaling.enabled=true")
    assert done.returncode != 0 and "upgrade once with Helm 4 and --server-side=true" in done.stderr


KEDA = ("worker.autoscaling.enabled=true", "worker.autoscaling.keda.enabled=true")


@pytest.mark.parametrize("objects,settings", [
    ({}, ["gateway.autoscaling.enabled=true"]),
    (live(HANDED_OVER), ["gateway.autoscaling.enabled=true"]),
    (live([BY_HELM], replicas=1), ["gateway.autoscaling.enabled=true"]),
    (live([BY_CLIENT]) | scaler("t-tidings-gateway"), ["gateway.autoscaling.enabled=true"]),
    (live([BY_CLIENT], role="worker") | scaler("keda-hpa-t-tidings-worker"), KEDA),
    (live([BY_HELM]), ["gateway.replicas=3"]),
    (live([BY_HELM]), ["worker.autoscaling.enabled=true"]),
], ids=["first installation", "handed over", "one pod", "client, scaled already", "client, KEDA already", "off", "another role"])
def test_it_is_not_refused_where_no_pod_is_at_stake(ask, objects, settings):
    done = ask(objects, *settings)
    assert done.returncode == 0, done.stderr
    docs = documents(done.stdout)
    assert ("replicas" in deployment(docs, settings[0].partition(".")[0])["spec"]) == (not of_kind(docs, "HorizontalPodAutoscaler", "ScaledObject"))


def test_another_roles_scaler_is_not_taken_for_its_own(ask):
    done = ask(live([BY_CLIENT], role="worker") | scaler("t-tidings-worker"), *KEDA)
    assert done.returncode != 0 and "worker.autoscaling" in done.stderr
