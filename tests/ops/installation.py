"""A release of the chart on a real API server, and what is to hold for it."""

import contextlib
import json
import re

import yaml

from chart import CHART, ROLES, documents, helm, hook, of_kind, pods, selects, template
from cluster import APPLY, MERGE, Refused

RELEASE = "live"
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
# Nothing measures the pods here, so the autoscaler says that it knows no figures and keeps to its fewest. And the API server's own
# repair may meet a Service in the moment between its creation and the entry of its address.
EXPECTED = {"FailedGetResourceMetric", "FailedGetPodsMetric", "FailedComputeMetricsReplicas", "ClusterIPNotAllocated"}


class Broken(Exception):
    """Something is not as it should be."""


def need(what, truth):
    if not truth:
        raise Broken(what)


def key(doc):
    return doc["apiVersion"].rpartition("/")[0], doc["kind"], doc["metadata"]["name"]


def shown(keys):
    return ", ".join(sorted(f"{kind} {name}" for _, kind, name in keys)) or "nothing"


def said(doc):
    """An object without what the servers note down about it."""
    doc = json.loads(json.dumps(doc))
    doc.pop("status", None)
    for note in ("managedFields", "resourceVersion"):
        doc["metadata"].pop(note, None)
    notes = doc["metadata"].get("annotations", {})
    notes.pop("deployment.kubernetes.io/revision", None)
    if not notes:
        doc["metadata"].pop("annotations", None)
    return doc


def texts(manifest):
    """The manifest's documents as they stand, so that the API server sees a field that is there twice."""
    return [text for text in re.split(r"^---\s*$", manifest, flags=re.M) if yaml.safe_load(text)]


@contextlib.contextmanager
def installation(cluster, name, values, given=(), chart=CHART):
    """A release to be installed, for which everything is there; in the end it is uninstalled, and nothing is left."""
    one = Installation(cluster, name, values, chart)
    one.prepare(given)
    before = set(one.objects())
    yield one
    one.helm("uninstall", RELEASE)
    one.check_left(before)


class Installation:
    """A release in a namespace of its own that enforces restricted pod security."""

    def __init__(self, cluster, name, values, chart=CHART):
        self.cluster, self.api = cluster, cluster.api
        self.namespace, self.values, self.chart = f"chat-{name}", values, chart
        self.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace, "labels": RESTRICTED}})
        cluster.until("the namespace has its account", lambda: self.api.get(f"/api/v1/namespaces/{self.namespace}/serviceaccounts/default"))
        cluster.until("the namespace has its map", lambda: self.api.get(f"/api/v1/namespaces/{self.namespace}/configmaps/kube-root-ca.crt"))

    def helm(self, command, *args, check=True):
        done = helm(command, "--kubeconfig", self.cluster.kubeconfig, "-n", self.namespace, *args, check=False)
        # Helm says of every linked file that it follows the link, and its client notes at the level of information how a wait ended.
        odd = [line for line in done.stderr.splitlines() if "found symbolic link" not in line and not re.match(r"I\d{4} ", line)]
        done.stderr = "\n".join(odd)
        if check and (odd or done.returncode):
            raise Broken(f"helm {command} said: {done.stderr}\nand the controllers: {self.warnings()}")
        return done

    def install(self, *args, command=("install",), check=True):
        return self.helm(*command, RELEASE, self.chart, *self.values, "--timeout", "2m", *args, check=check)

    def upgrade(self, *args, check=True):
        return self.install(*args, command=("upgrade",), check=check)

    def prepare(self, given):
        """Makes what the values say somebody else made: the accounts, the secrets with the keys that pods ask for, the priority class."""
        docs = documents(template(*self.values, chart=self.chart, release=RELEASE).stdout)
        keys, accounts = {}, set()
        for _, _, spec in pods(docs):
            accounts.add(spec.get("serviceAccountName"))
            for volume in spec["volumes"]:
                for source in volume.get("projected", {}).get("sources", []):
                    keys.setdefault(source["secret"]["name"], set()).update(item["key"] for item in source["secret"]["items"])
            if spec.get("priorityClassName"):
                with contextlib.suppress(Refused):
                    self.api.create({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": spec["priorityClassName"]}, "value": 1})
        for name in given:
            kind = "ServiceAccount" if name in accounts else "Secret"
            doc = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}
            if kind == "Secret":
                doc["stringData"] = {key: "given" for key in keys.get(name, ())}
            self.api.create(doc, self.namespace)

    def objects(self):
        return self.api.everything(self.namespace)

    def manifest(self):
        return self.helm("get", "manifest", RELEASE).stdout

    def release(self):
        """The objects of the release as they are now."""
        return {key(doc): said(self.api.get(self.api.path(doc, self.namespace))) for doc in documents(self.manifest())}

    def pods_of(self, role):
        found = self.api.get(f"/api/v1/namespaces/{self.namespace}/pods", labelSelector=f"app.kubernetes.io/component={role}")["items"]
        return {pod["metadata"]["name"]: pod for pod in found if "deletionTimestamp" not in pod["metadata"]}

    def deployment(self, role):
        selector = f"app.kubernetes.io/component={role}"
        [found] = self.api.get(f"/apis/apps/v1/namespaces/{self.namespace}/deployments", labelSelector=selector)["items"]
        return found

    def scale(self, role, count):
        """What `kubectl scale` does."""
        name = self.deployment(role)["metadata"]["name"]
        self.api.call("PATCH", f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{name}/scale", {"spec": {"replicas": count}}, MERGE, fieldManager="kubectl")

    def check_objects(self):
        """Everything that was rendered is there, and applying it again, strictly, neither warns nor changes anything."""
        manifest, hooks = self.manifest(), self.helm("get", "hooks", RELEASE).stdout
        count = 0
        for text in texts(manifest) + texts(hooks):
            doc = yaml.safe_load(text)
            path, what = self.api.path(doc, self.namespace), f"{doc['kind']} {doc['metadata']['name']}"
            is_hook = hook(doc) is not None
            try:
                live = self.api.get(path)
            except Refused as refused:
                need(f"{what} exists: {refused}", is_hook and refused.status == 404)
                live = None
            need(f"{what} went when its hook had succeeded", not is_hook or live is None)
            # By another name than Helm's, which may take away what Helm adds. By force, because 12000 is the server's 12k and no conflict.
            again, warnings = self.api.call("PATCH", path, text, APPLY, fieldManager="chart-live", force="true", fieldValidation="Strict", dryRun="All")
            need(f"{what} warns: {warnings}", not warnings)
            if live:
                need(f"{what} differs from its manifest", said(live) == said(again))
            count += 1
        return count

    def check_running(self, *known):
        """The controllers made the pods, none was refused, and every Service and budget found those that it is for."""
        docs = documents(self.manifest())
        scalers = {doc["spec"]["scaleTargetRef"]["name"]: doc["spec"].get("minReplicas", 0) for doc in of_kind(docs, "HorizontalPodAutoscaler")}
        wanted = {}
        for doc in of_kind(docs, "Deployment"):
            # What KEDA's own operator would scale stays at Kubernetes' default.
            role, name = doc["metadata"]["labels"]["app.kubernetes.io/component"], doc["metadata"]["name"]
            wanted[role] = scalers.get(name, doc["spec"].get("replicas", 1))

        def settled():
            for role, count in wanted.items():
                status = self.deployment(role).get("status", {})
                if status.get("replicas", 0) != count or status.get("readyReplicas", 0) != count or status.get("updatedReplicas", 0) != count:
                    return False
            return True
        try:
            self.cluster.until("all pods run", settled, 60)
        except SystemExit as late:
            raise Broken(f"{late}: waiting for secrets {self.cluster.kubelet.waiting}; warnings {self.warnings()}") from None
        live = {name: pod for role in ROLES for name, pod in self.pods_of(role).items()}
        self.cluster.until("the budgets count their pods", lambda: all(
            self.api.get(self.api.path(doc, self.namespace))["status"].get("expectedPods") == wanted[doc["metadata"]["labels"]["app.kubernetes.io/component"]]
            for doc in of_kind(docs, "PodDisruptionBudget")))
        for doc in of_kind(docs, "Service"):
            expected = {pod["status"]["podIP"] for pod in live.values() if selects(doc["spec"]["selector"], pod["metadata"]["labels"])}
            ports = {port["name"]: 8080 if port["name"] == "http" else 9090 for port in doc["spec"]["ports"]}
            need(f"Service {doc['metadata']['name']} is for some pods", expected)
            self.cluster.until(f"Service {doc['metadata']['name']} leads to its {len(expected)} pods", lambda doc=doc, expected=expected, ports=ports:
                               self.endpoints(doc["metadata"]["name"]) == (expected, ports))
        odd = [event for event in self.warnings() if event[0] not in {*EXPECTED, *known}]
        need(f"warnings of the controllers: {odd}", not odd)
        return len(live)

    def endpoints(self, service):
        found = self.api.get(f"/apis/discovery.k8s.io/v1/namespaces/{self.namespace}/endpointslices", labelSelector=f"kubernetes.io/service-name={service}")
        ready = {address for part in found["items"] for one in part["endpoints"] or [] if one["conditions"]["ready"] for address in one["addresses"]}
        return ready, {port["name"]: port["port"] for part in found["items"] for port in part["ports"] or []}

    def warnings(self):
        events = self.api.get(f"/api/v1/namespaces/{self.namespace}/events")["items"]
        return sorted({(event["reason"], event["involvedObject"]["kind"], event["message"][:200]) for event in events if event["type"] == "Warning"})

    def changed_by(self, what, *args, restarted=(), command=None):
        """Upgrades, and returns what changed in the release; pods of no other role than `restarted` may be replaced."""
        before, pods_before = self.release(), {role: set(self.pods_of(role)) for role in ROLES}
        (command or self.upgrade)(*args)
        after = self.release()
        need(f"{what}: came or went: {shown(before.keys() ^ after.keys())}", before.keys() == after.keys())
        for role in ROLES:
            if role in restarted:
                self.cluster.until(f"{what}: new pods of {role}", lambda role=role: set(self.pods_of(role)) - pods_before[role])
            else:
                need(f"{what}: pods of {role} were touched", set(self.pods_of(role)) == pods_before[role])
        return {one for one in after if after[one] != before[one]}

    def check_left(self, before):
        """Nothing is there that was not there before."""
        left = set()

        def gone():
            left.clear()
            left.update(self.objects().keys() - before)
            return not left
        try:
            self.cluster.until("everything is gone", gone, 60)
        except SystemExit:
            raise Broken(f"left: {shown(left)}") from None
