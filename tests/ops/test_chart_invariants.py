"""What must hold for everything the chart renders, whatever the values."""

import pytest
import yaml

from chart import (CHART, CI, GIVEN, ROLES, deployment, documents, environment, hook, minimal, of_kind, pods, rendered,
                   selects, template)
from promql import METRICS, problems
from settings import DEFAULTS, seconds, unknown

each_ci = pytest.mark.parametrize("name", CI)


def references(node):
    """Names of the secrets, maps and accounts that a pod asks for."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("secret", "configMap", "secretKeyRef", "configMapKeyRef", "secretRef", "configMapRef"):
                yield value.get("name") or value.get("secretName")
            elif key in ("serviceAccountName", "secretName", "claimName"):
                yield value
            elif key == "imagePullSecrets":
                yield from (entry["name"] for entry in value)
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


@each_ci
def test_pods_are_restricted(name):
    for pod, _, spec in pods(rendered(name)):
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True and security["runAsUser"] >= 10_000, pod
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC", "hostUsers"}
        assert spec["automountServiceAccountToken"] is False and spec["enableServiceLinks"] is False
        for container in spec["containers"] + spec.get("initContainers", []):
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False and own["readOnlyRootFilesystem"] is True
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["requests"] and container["resources"]["limits"]["memory"]
            assert "command" not in container, "the image's entry point is the binary"
        assert all("hostPath" not in volume for volume in spec["volumes"])


@each_ci
def test_there_are_three_roles_from_one_image(name):
    docs = rendered(name)
    assert {d["spec"]["template"]["spec"]["containers"][0]["args"][0] for d in of_kind(docs, "Deployment")} == set(ROLES)
    assert len({spec["containers"][0]["image"] for _, _, spec in pods(docs)}) == 1


@each_ci
def test_nothing_sets_replicas_under_an_autoscaler(name):
    docs = rendered(name)
    scaled = {d["spec"]["scaleTargetRef"]["name"] for d in of_kind(docs, "HorizontalPodAutoscaler", "ScaledObject")}
    for one in of_kind(docs, "Deployment"):
        assert ("replicas" in one["spec"]) == (one["metadata"]["name"] not in scaled)
    assert scaled <= {d["metadata"]["name"] for d in of_kind(docs, "Deployment")}


@each_ci
def test_the_grace_period_is_longer_than_all_that_happens_in_it(name):
    docs = rendered(name)
    for one in of_kind(docs, "Deployment"):
        spec = one["spec"]["template"]["spec"]
        window = int(environment(spec)["TIDINGS__DRAIN__WINDOW"].removesuffix("s"))
        before = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert spec["terminationGracePeriodSeconds"] == before + window + 15
        assert one["spec"]["progressDeadlineSeconds"] > one["spec"]["minReadySeconds"]
        assert one["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert deployment(docs, "gateway")["spec"]["minReadySeconds"] >= window


@each_ci
def test_probes_ask_the_operators_port(name):
    for one in of_kind(rendered(name), "Deployment"):
        [container] = one["spec"]["template"]["spec"]["containers"]
        paths = {probe: container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
        assert paths["readinessProbe"]["path"] == "/healthz/ready"
        assert paths["livenessProbe"]["path"] == paths["startupProbe"]["path"] == "/healthz/live"
        assert all(probe["port"] == "ops" for probe in paths.values())
        assert {"name": "ops", "containerPort": 9090} in container["ports"]
        assert environment(one["spec"]["template"]["spec"])["TIDINGS__SERVER__OPS_LISTEN"] == "0.0.0.0:9090"


@each_ci
def test_nothing_refers_to_a_missing_object(name):
    docs = rendered(name)
    there = {doc["metadata"]["name"] for doc in of_kind(docs, "Secret", "ConfigMap", "ServiceAccount")} | GIVEN.get(name, set())
    assert set(references(docs)) - there == set()


@each_ci
def test_every_given_secret_is_used(name):
    assert GIVEN.get(name, set()) - set(references(rendered(name))) == set()


@each_ci
def test_selectors_find_their_pods(name):
    docs = rendered(name)
    labels = {pod: labels for pod, labels, _ in pods(docs)}
    for doc in of_kind(docs, "Service"):
        found = [pod for pod in labels if selects(doc["spec"]["selector"], labels[pod])]
        assert len(found) == 1, "a Service finds one role and neither the hook's nor the test's pod"
        [container] = next(spec for pod, _, spec in pods(docs) if pod == found[0])["containers"]
        assert {port["targetPort"] for port in doc["spec"]["ports"]} <= {port["name"] for port in container["ports"]}
    for doc in of_kind(docs, "Deployment", "PodDisruptionBudget"):
        found = [pod for pod in labels if selects(doc["spec"]["selector"]["matchLabels"], labels[pod])]
        assert found == [doc["metadata"]["name"]]
    for doc in of_kind(docs, "NetworkPolicy"):
        assert [pod for pod in labels if selects(doc["spec"]["podSelector"]["matchLabels"], labels[pod])] == [doc["metadata"]["name"]]
    for doc in of_kind(docs, "ServiceMonitor"):
        matched = [s for s in of_kind(docs, "Service") if selects(doc["spec"]["selector"]["matchLabels"], s["metadata"]["labels"])]
        assert len(matched) == 3 and all(s["spec"]["publishNotReadyAddresses"] for s in matched)
        assert {e["port"] for e in doc["spec"]["endpoints"]} <= {p["name"] for s in matched for p in s["spec"]["ports"]}


@each_ci
def test_routes_end_at_a_service_that_is_there(name):
    docs = rendered(name)
    services = {s["metadata"]["name"]: {p["port"] for p in s["spec"]["ports"]} for s in of_kind(docs, "Service")}
    for route in of_kind(docs, "HTTPRoute"):
        for rule in route["spec"]["rules"]:
            assert all(backend["port"] in services[backend["name"]] for backend in rule["backendRefs"])
            assert rule["timeouts"]["request"] == "0s"
    for ingress in of_kind(docs, "Ingress"):
        for rule in ingress["spec"]["rules"]:
            assert all(path["backend"]["service"]["name"] in services for path in rule["http"]["paths"])


@each_ci
def test_the_operators_port_is_in_no_service_that_could_be_exposed(name):
    for doc in of_kind(rendered(name), "Service"):
        if any(port["targetPort"] == "ops" for port in doc["spec"]["ports"]):
            assert doc["spec"]["clusterIP"] == "None" and "type" not in doc["spec"]


@each_ci
def test_the_migration_needs_nothing_of_the_release(name):
    docs = rendered(name)
    for job in of_kind(docs, "Job"):
        moments, weight = hook(job)
        assert set(moments) == {"pre-install", "pre-upgrade"}
        assert "before-hook-creation" in job["metadata"]["annotations"]["helm.sh/hook-delete-policy"]
        before = GIVEN.get(name, set()) | {
            doc["metadata"]["name"] for doc in of_kind(docs, "Secret", "ServiceAccount", "ConfigMap")
            if hook(doc) and set(moments) <= set(hook(doc)[0]) and hook(doc)[1] < weight}
        assert set(references(job)) <= before


@each_ci
def test_hooks_and_objects_of_the_release_have_their_own_names(name):
    named = [(doc["kind"], doc["metadata"]["name"]) for doc in rendered(name)]
    assert len(named) == len(set(named))


@each_ci
def test_names_fit_whatever_the_release_is_called(name):
    for doc in documents(template("-f", CI[name], release="r" * 53).stdout):
        assert len(doc["metadata"]["name"]) <= 63
        assert all(len(str(value)) <= 63 for value in (doc["metadata"].get("labels") or {}).values())


def test_every_variable_is_a_setting_that_tidings_knows():
    assert unknown({key for name in CI for _, _, spec in pods(rendered(name)) for key in environment(spec)}) == set()


def test_the_room_in_the_grace_period_covers_the_time_to_flush():
    assert 15 > seconds(DEFAULTS["drain"]["readiness_delay"]) + seconds(DEFAULTS["drain"]["flush_timeout"])


def test_the_migration_has_one_name_for_ever():
    for setting in ("image.tag=one", "image.tag=two"):
        assert [d["metadata"]["name"] for d in of_kind(minimal(setting), "Job")] == ["t-tidings-migrate"]


def test_autoscalers_use_metrics_that_exist():
    docs = [doc for name in CI for doc in rendered(name)]
    pod_metrics = {metric["pods"]["metric"]["name"] for doc in of_kind(docs, "HorizontalPodAutoscaler")
                   for metric in doc["spec"]["metrics"] if metric["type"] == "Pods"}
    queries = [trigger["metadata"]["query"] for doc in of_kind(docs, "ScaledObject")
               for trigger in doc["spec"]["triggers"] if trigger["type"] == "prometheus"]
    assert pod_metrics and pod_metrics <= set(METRICS)
    assert len(queries) == 2 and [problems(query) for query in queries] == [[], []]
    assert all('namespace="chat"' in query for query in queries)


def test_there_are_no_subcharts():
    assert "dependencies" not in yaml.safe_load((CHART / "Chart.yaml").read_text()) and not (CHART / "charts").exists()
