"""What single values do."""

import json
import subprocess
import sys

import pytest
import yaml

from chart import CHART, CI, ROLES, deployment, documents, environment, minimal, of_kind, pods, rendered, selects, template
from support import ROOT

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


def test_a_role_can_override_what_the_roles_share():
    docs = rendered("everything")
    tiers = {role: deployment(docs, role)["spec"]["template"]["metadata"]["labels"]["tier"] for role in ROLES}
    assert tiers == {"gateway": "realtime", "worker": "batch", "push": "realtime"}


def test_a_budget_can_be_left_out():
    assert {d["metadata"]["name"] for d in of_kind(minimal("worker.pdb.enabled=false"), "PodDisruptionBudget")} == {"t-tidings-gateway", "t-tidings-push"}


def test_the_digest_wins_over_the_tag():
    image = {spec["containers"][0]["image"] for _, _, spec in pods(minimal(f"image.registry=r.example.com,image.tag=one,image.digest=sha256:{'0' * 64}"))}
    assert image == {f"r.example.com/tidings@sha256:{'0' * 64}"}


def test_configuration_reaches_the_processes_as_they_read_it():
    env = environment(deployment(rendered("everything"), "gateway")["spec"]["template"]["spec"])
    assert env["TIDINGS__SERVER__ALLOWED_ORIGINS"] == "https://chat.example.com,https://www.example.com"
    assert env["TIDINGS__SERVER__MAX_CONNECTIONS"] == "1000000" and env["TIDINGS__AUTH__AUTO_PROVISION"] == "false"


def test_a_wrong_setting_is_found_by_the_migration():
    [(_, _, spec)] = [pod for pod in pods(minimal("config.gateway.heartbeat=soon")) if pod[0].endswith("-migrate")]
    assert environment(spec)["TIDINGS__GATEWAY__HEARTBEAT"] == "soon"


def test_extra_objects_are_rendered_with_the_templates_in_them():
    made = {d["metadata"]["name"]: d.get("data") for d in of_kind(rendered("everything"), "ConfigMap")}
    assert made["chat-extra"] == {"release": "t"} and "chat-more" in made


def test_an_ingress_keeps_the_long_timeouts_beside_the_users_annotations():
    [ingress] = of_kind(rendered("ingress"), "Ingress")
    notes = ingress["metadata"]["annotations"]
    assert notes.pop("cert-manager.io/cluster-issuer") == "public"
    assert notes == {f"nginx.ingress.kubernetes.io/proxy-{way}-timeout": "3600" for way in ("read", "send")}


def test_gateways_are_scaled_down_one_in_five_minutes():
    scalers = of_kind(rendered("everything"), "HorizontalPodAutoscaler")
    assert len(scalers) == 3
    for scaler in scalers:
        assert scaler["spec"]["behavior"]["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 300}]
    [gateway] = [s for s in scalers if s["metadata"]["name"] == "chat-gateway"]
    assert {m["type"] for m in gateway["spec"]["metrics"]} == {"Resource", "Pods"}


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


def test_defaults_are_what_the_values_file_says():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    docs = rendered("minimal")
    for role in ROLES:
        assert deployment(docs, role)["spec"]["replicas"] == values[role]["replicas"] >= 2


def test_the_readme_lists_every_value():
    subprocess.run([sys.executable, ROOT / "helm/readme.py", "--check"], check=True)
