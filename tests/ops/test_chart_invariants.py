"""What must hold for everything the chart renders, whatever the values."""

import base64
import json
import re
import subprocess
import sys

import pytest
import yaml

from chart import (CHART, CI, GIVEN, ROLES, deployment, documents, environment, hook, minimal, of_kind, pods, rendered, selects,
                   template)
from promql import METRICS, problems
from settings import DEFAULTS, seconds, unknown
from support import ROOT

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
def test_secrets_are_files_and_never_arguments_or_variables(name):
    docs = rendered(name)
    known = [base64.b64decode(value).decode() for doc in of_kind(docs, "Secret") for value in doc["data"].values()]
    others = json.dumps([doc for doc in docs if doc["kind"] != "Secret"])
    assert not [secret for secret in known if json.dumps(secret)[1:-1] in others]
    for _, _, spec in pods(docs):
        mounted = {f"/etc/tidings/secrets/{item['path']}" for volume in spec["volumes"] if volume["name"] == "secrets"
                   for source in volume["projected"]["sources"] for item in source["secret"]["items"]}
        named = {value for key, value in environment(spec).items() if (value or "").startswith("/etc/tidings/secrets/")}
        assert mounted == named != set()
        for volume in spec["volumes"]:
            for source in volume.get("projected", {}).get("sources", []):
                own = [doc for doc in of_kind(docs, "Secret") if doc["metadata"]["name"] == source["secret"]["name"]]
                assert all(item["key"] in doc["data"] for doc in own for item in source["secret"]["items"])


def test_every_secret_can_come_from_elsewhere():
    inline, external = rendered("everything"), rendered("external-secrets")
    assert of_kind(external, "Secret") == []
    for role in (*ROLES, "migrate", "test"):
        own, other = ({key for key in environment(spec) if key.endswith("_FILE") and not key.endswith("CA_FILE")}
                      for docs in (inline, external) for _, labels, spec in pods(docs)
                      if labels["app.kubernetes.io/component"] == role)
        # A proxy's address without a password need not be secret.
        proxies = {f"TIDINGS__{name}__PROXY_FILE" for name in ("APNS", "FCM", "WEBPUSH")} if role == "push" else set()
        assert other - own == proxies and own - other == set() != own


def test_every_secret_of_the_configuration_has_a_place():
    listed = re.search(r"SECRETS: \[&str; \d+\] = \[(.*?)\];", (ROOT / "src/config/layers.rs").read_text(), re.S)[1]
    secrets = {name.replace(".", "__").upper() for name in re.findall(r'"([a-z0-9_.]+)"', listed)}
    # Keys and certificates are files and have no twin.
    secrets |= {f"{section}__{key}".upper().removesuffix("_FILE") for section in ("apns", "fcm") for key in DEFAULTS[section]
                if key.endswith("_file") and key != "ca_file"}
    places = set(re.findall(r'"TIDINGS__(\w+)_FILE"', (CHART / "templates/_secrets.tpl").read_text()))
    assert secrets <= places and {place for place in places - secrets if not place.endswith("__CA")} == set()


def test_what_signs_the_tokens_of_pushes_is_what_the_gateways_check_them_with():
    for name in ("minimal", "everything", "external-secrets"):
        of = {role: environment(deployment(rendered(name), role)["spec"]["template"]["spec"]) for role in ROLES}
        for secret in ("TIDINGS__AUTH__HS256_SECRET_FILE", "TIDINGS__AUTH__SIGNING_SECRET_FILE"):
            assert of["gateway"].get(secret) == of["push"].get(secret) and secret not in of["worker"]
        assert "TIDINGS__AUTH__HS256_SECRET_FILE" in of["push"]


def test_the_key_of_apple_and_its_id_change_together():
    """Of one Secret, in one volume, so that a process that runs sees both or neither."""
    for name, secret in (("everything", "chat"), ("external-secrets", "chat-apns")):
        spec = deployment(rendered(name), "push")["spec"]["template"]["spec"]
        assert "TIDINGS__APNS__KEY_ID" not in environment(spec)
        sources = [s["secret"] for v in spec["volumes"] if v["name"] == "secrets" for s in v["projected"]["sources"]]
        holders = [s["name"] for s in sources if s["items"][0]["path"] in ("apns.p8", "apns-key-id")]
        assert holders == [secret, secret]


def test_a_setting_that_names_a_file_reaches_those_who_have_it():
    docs = rendered("keda")
    for name, _, spec in pods(docs):
        role = "gateway" if name.endswith("-gateway") else "push" if name.endswith("-push") else ""
        mounts = {mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]}
        named = {value for value in environment(spec).values() if value and value.startswith("/etc/tidings/")}
        assert {path.rsplit("/", 1)[0] for path in named} <= mounts
        assert ("TIDINGS__SERVER__TLS_CERT_FILE" in environment(spec)) == ("TIDINGS__AUTH__PUBLIC_KEY_FILES" in environment(spec)) == (role == "gateway")
        assert ("TIDINGS__APNS__CERT_FILE" in environment(spec)) == (role == "push")
    assert [s["spec"]["ports"][0]["appProtocol"] for s in of_kind(docs, "Service") if s["metadata"]["name"] == "t-tidings"] == ["https"]
    assert not [pod for pod in pods(docs) if pod[0].endswith("-test")], "the probe would find a certificate of another name"


def test_a_wrong_setting_is_found_by_the_migration():
    [(_, _, spec)] = [pod for pod in pods(minimal("config.gateway.heartbeat=soon")) if pod[0].endswith("-migrate")]
    assert environment(spec)["TIDINGS__GATEWAY__HEARTBEAT"] == "soon"


def test_an_existing_secret_wins_over_a_value():
    docs = minimal("postgres.existingSecret.name=theirs,postgres.existingSecret.key=uri")
    assert all("postgres-url" not in doc["data"] for doc in of_kind(docs, "Secret"))
    sources = [source for _, labels, spec in pods(docs) if labels["app.kubernetes.io/component"] != "test"
               for volume in spec["volumes"] for source in volume["projected"]["sources"]
               if source["secret"]["items"][0]["path"] == "postgres-url"]
    assert len(sources) == 4 and all(s["secret"]["name"] == "theirs" and s["secret"]["items"][0]["key"] == "uri" for s in sources)


@pytest.mark.parametrize("role,changed", [("gateway", True), ("push", True), ("worker", False)])
def test_a_changed_secret_restarts_those_who_read_it(role, changed):
    def checksum(*settings):
        return deployment(minimal(*settings), role)["spec"]["template"]["metadata"]["annotations"]["checksum/secret"]

    assert (checksum() != checksum("auth.hs256Secret=another-secret-of-32-characters!")) == changed


def test_gateways_are_scaled_down_one_in_five_minutes():
    scalers = of_kind(rendered("everything"), "HorizontalPodAutoscaler")
    assert len(scalers) == 3
    for scaler in scalers:
        assert scaler["spec"]["behavior"]["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 300}]
    [gateway] = [s for s in scalers if s["metadata"]["name"] == "chat-gateway"]
    assert {m["type"] for m in gateway["spec"]["metrics"]} == {"Resource", "Pods"}


def test_autoscalers_use_metrics_that_exist():
    docs = [doc for name in CI for doc in rendered(name)]
    pod_metrics = {metric["pods"]["metric"]["name"] for doc in of_kind(docs, "HorizontalPodAutoscaler")
                   for metric in doc["spec"]["metrics"] if metric["type"] == "Pods"}
    queries = [trigger["metadata"]["query"] for doc in of_kind(docs, "ScaledObject")
               for trigger in doc["spec"]["triggers"] if trigger["type"] == "prometheus"]
    assert pod_metrics and pod_metrics <= set(METRICS)
    assert len(queries) == 2 and [problems(query) for query in queries] == [[], []]
    assert all('namespace="chat"' in query for query in queries)


def test_the_network_policy_opens_dns_scraping_and_the_dependencies():
    policies = {doc["metadata"]["name"]: doc["spec"] for doc in of_kind(rendered("gateway-api"), "NetworkPolicy")}
    assert len(policies) == 3
    for name, spec in policies.items():
        opened = {(port["protocol"], port["port"]) for rule in spec["egress"] for port in rule["ports"]}
        assert {("UDP", 53), ("TCP", 53), ("TCP", 5432), ("TCP", 5672), ("TCP", 6379)} <= opened
        assert (("TCP", 443) in opened) == (not name.endswith("worker"))
        inward = {port["port"] for rule in spec["ingress"] for port in rule["ports"]}
        assert inward == ({"ops", "http"} if name.endswith("gateway") else {"ops"})


def test_a_user_given_ingress_peer_still_lets_helm_test_in():
    [policy] = [d for d in of_kind(rendered("everything"), "NetworkPolicy") if d["metadata"]["name"] == "chat-gateway"]
    [peers] = [rule["from"] for rule in policy["spec"]["ingress"] if rule["ports"][0]["port"] == "http"]
    labels = next(labels for name, labels, _ in pods(rendered("everything")) if name == "chat-test")
    assert any(selects(p["podSelector"]["matchLabels"], labels) for p in peers if "podSelector" in p)


def test_helm_test_sends_a_message_through_the_service():
    docs = rendered("minimal")
    [(_, _, spec)] = [pod for pod in pods(docs) if pod[0] == "t-tidings-test"]
    args = spec["containers"][0]["args"]
    assert args == ["probe", "--url", "http://t-tidings:8080", "--timeout", "30s"]
    assert "TIDINGS__AUTH__HS256_SECRET_FILE" in environment(spec)
    assert not [pod for pod in pods(rendered("ingress")) if pod[0].endswith("-test")], "no secret, no token, no test"


# What each role can have of its own, and where one sees it in its Deployment.
OF_A_ROLE = {
    "replicas": (7, lambda spec: spec["replicas"]),
    "resources": ({"requests": {"cpu": "3", "memory": "3Gi"}, "limits": {"memory": "3Gi"}}, lambda spec: spec["template"]["spec"]["containers"][0]["resources"]),
    "probes.readiness": ({"periodSeconds": 77}, lambda spec: {"periodSeconds": spec["template"]["spec"]["containers"][0]["readinessProbe"]["periodSeconds"]}),
    "topologySpreadConstraints": ([{"topologyKey": "rack", "maxSkew": 2, "whenUnsatisfiable": "DoNotSchedule"}], lambda spec: spec["template"]["spec"]["topologySpreadConstraints"]),
    "affinity": ({"podAntiAffinity": {}}, lambda spec: spec["template"]["spec"].get("affinity")),
    "tolerations": ([{"key": "own", "operator": "Exists"}], lambda spec: spec["template"]["spec"].get("tolerations")),
    "nodeSelector": ({"pool": "own"}, lambda spec: spec["template"]["spec"].get("nodeSelector")),
    "priorityClassName": ("own", lambda spec: spec["template"]["spec"].get("priorityClassName")),
    "extraEnv": ([{"name": "OWN", "value": "1"}], lambda spec: [e for e in spec["template"]["spec"]["containers"][0]["env"] if e["name"] == "OWN"]),
    "extraVolumes": ([{"name": "own", "emptyDir": {}}], lambda spec: [v for v in spec["template"]["spec"]["volumes"] if v["name"] == "own"]),
    "extraVolumeMounts": ([{"name": "own", "mountPath": "/own"}], lambda spec: [m for m in spec["template"]["spec"]["containers"][0]["volumeMounts"] if m["name"] == "own"]),
    "podAnnotations": ({"own": "yes"}, lambda spec: {k: v for k, v in spec["template"]["metadata"]["annotations"].items() if k == "own"}),
    "podLabels": ({"own": "yes"}, lambda spec: {k: v for k, v in spec["template"]["metadata"]["labels"].items() if k == "own"}),
}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_has_its_own_of_everything(role):
    values = {}
    for path, (value, _) in OF_A_ROLE.items():
        first, *rest = path.split(".")
        values[first] = {rest[0]: value} if rest else value
    values |= {"annotations": {"own": "yes"}, "pdb": {"maxUnavailable": 7}}
    docs = documents(template("-f", CI["minimal"], "--set-json", f"{role}={json.dumps(values)}").stdout)
    for other in ROLES:
        for path, (value, seen) in OF_A_ROLE.items():
            assert (seen(deployment(docs, other)["spec"]) == value) == (other == role), (other, path)
        [budget] = [d for d in of_kind(docs, "PodDisruptionBudget") if d["metadata"]["labels"]["app.kubernetes.io/component"] == other]
        assert (budget["spec"]["maxUnavailable"] == 7) == (other == role)
        assert ((deployment(docs, other)["metadata"].get("annotations") or {}).get("own") == "yes") == (other == role)


def test_a_budget_can_be_left_out():
    assert {d["metadata"]["name"] for d in of_kind(minimal("worker.pdb.enabled=false"), "PodDisruptionBudget")} == {"t-tidings-gateway", "t-tidings-push"}


def test_the_digest_wins_over_the_tag():
    image = {spec["containers"][0]["image"] for _, _, spec in pods(minimal(f"image.registry=r.example.com,image.tag=one,image.digest=sha256:{'0' * 64}"))}
    assert image == {f"r.example.com/tidings@sha256:{'0' * 64}"}


def test_the_migration_has_one_name_for_ever():
    for setting in ("image.tag=one", "image.tag=two"):
        assert [d["metadata"]["name"] for d in of_kind(minimal(setting), "Job")] == ["t-tidings-migrate"]


def test_there_are_no_subcharts():
    assert "dependencies" not in yaml.safe_load((CHART / "Chart.yaml").read_text()) and not (CHART / "charts").exists()


def test_an_ingress_keeps_the_long_timeouts_beside_the_users_annotations():
    [ingress] = of_kind(rendered("ingress"), "Ingress")
    notes = ingress["metadata"]["annotations"]
    assert notes.pop("cert-manager.io/cluster-issuer") == "public"
    assert notes == {f"nginx.ingress.kubernetes.io/proxy-{way}-timeout": "3600" for way in ("read", "send")}


def test_extra_objects_are_rendered_with_the_templates_in_them():
    made = {d["metadata"]["name"]: d.get("data") for d in of_kind(rendered("everything"), "ConfigMap")}
    assert made["chat-extra"] == {"release": "t"} and "chat-more" in made


def test_a_role_can_override_what_the_roles_share():
    docs = rendered("everything")
    tiers = {role: deployment(docs, role)["spec"]["template"]["metadata"]["labels"]["tier"] for role in ROLES}
    assert tiers == {"gateway": "realtime", "worker": "batch", "push": "realtime"}


def test_configuration_reaches_the_processes_as_they_read_it():
    env = environment(deployment(rendered("everything"), "gateway")["spec"]["template"]["spec"])
    assert env["TIDINGS__SERVER__ALLOWED_ORIGINS"] == "https://chat.example.com,https://www.example.com"
    assert env["TIDINGS__SERVER__MAX_CONNECTIONS"] == "1000000" and env["TIDINGS__AUTH__AUTO_PROVISION"] == "false"


@each_ci
def test_names_fit_whatever_the_release_is_called(name):
    for doc in documents(template("-f", CI[name], release="r" * 53).stdout):
        assert len(doc["metadata"]["name"]) <= 63
        assert all(len(str(value)) <= 63 for value in (doc["metadata"].get("labels") or {}).values())


def test_the_readme_lists_every_value():
    subprocess.run([sys.executable, ROOT / "helm/readme.py", "--check"], check=True)


def test_every_variable_is_a_setting_that_tidings_knows():
    assert unknown({key for name in CI for _, _, spec in pods(rendered(name)) for key in environment(spec)}) == set()


def test_the_room_in_the_grace_period_covers_the_time_to_flush():
    assert 15 > seconds(DEFAULTS["drain"]["readiness_delay"]) + seconds(DEFAULTS["drain"]["flush_timeout"])


def test_defaults_are_what_the_values_file_says():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    docs = rendered("minimal")
    for role in ROLES:
        assert deployment(docs, role)["spec"]["replicas"] == values[role]["replicas"] >= 2
