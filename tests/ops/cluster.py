"""A Kubernetes of our own: real etcd, API server, controllers and scheduler on loopback. Only the kubelets are played."""

import contextlib
import itertools
import json
import os
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timezone
from pathlib import Path

import yaml

from support import free_port, wait_until

TOKEN = "only-for-this-run"
# The custom resources that the chart makes.
CUSTOM = {"HTTPRoute", "ServiceMonitor", "PrometheusRule", "ScaledObject"}
MERGE, STRATEGIC, APPLY = (f"application/{kind}" for kind in ("merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml"))


class Refused(Exception):
    """The API server's answer to what it did not take."""

    def __init__(self, status, message):
        super().__init__(f"{status}: {message}")
        self.status, self.message = status, message


class Api:
    def __init__(self, url, authority):
        self.url, self.context, self.kinds = url, ssl.create_default_context(cafile=authority), {}

    def call(self, method, path, body=None, kind="application/json", **query):
        """The answer and the warnings that came with it."""
        data = body.encode() if isinstance(body, str) else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}?{urllib.parse.urlencode(query)}", data, method=method)
        request.add_header("Authorization", f"Bearer {TOKEN}")
        if data:
            request.add_header("Content-Type", kind)
        for left in reversed(range(30)):
            try:
                with urllib.request.urlopen(request, context=self.context, timeout=60) as answer:
                    text, warnings = answer.read(), answer.headers.get_all("Warning") or []
                break
            except urllib.error.HTTPError as error:
                text = error.read().decode(errors="replace")
                # As every client does: a new kind's storage asks for a moment.
                if error.code == 429 and left:
                    time.sleep(0.2)
                    continue
                with contextlib.suppress(ValueError):
                    text = json.loads(text)["message"]
                raise Refused(error.code, text) from None
        # /readyz answers in plain text.
        return json.loads(text) if text.startswith(b"{") else text, warnings

    def get(self, path, **query):
        return self.call("GET", path, **query)[0]

    def discover(self):
        """What kinds there are now: (apiVersion, kind) to (folder, name in paths, whether in a namespace, verbs)."""
        groups = [f"/apis/{version['groupVersion']}" for group in self.get("/apis")["groups"] for version in group["versions"]]
        self.kinds = {
            (folder.split("/", 2)[2], one["kind"]): (folder, one["name"], one["namespaced"], one["verbs"])
            for folder in ["/api/v1", *groups] for one in self.get(folder)["resources"] if "/" not in one["name"]}

    def folder(self, version, kind, namespace):
        if (version, kind) not in self.kinds:
            raise Refused(404, f"no kind {kind} in {version}")
        folder, plural, namespaced, _ = self.kinds[version, kind]
        return f"{folder}/namespaces/{namespace}/{plural}" if namespaced else f"{folder}/{plural}"

    def path(self, doc, namespace):
        return f"{self.folder(doc['apiVersion'], doc['kind'], namespace)}/{doc['metadata']['name']}"

    def create(self, doc, namespace="default", **query):
        return self.call("POST", self.folder(doc["apiVersion"], doc["kind"], namespace), doc, **query)

    def list(self, version, kind, namespace):
        return self.get(self.folder(version, kind, namespace))["items"]

    def everything(self, namespace):
        """All objects of a namespace and all that belong to none, by kind and name; each kind in one of its versions."""
        found = {}
        for (version, kind), (_, _, namespaced, verbs) in self.kinds.items():
            # Events and leases are notes of the servers, and events exist under two groups.
            if "list" not in verbs or kind in ("Event", "Lease", "ComponentStatus"):
                continue
            group = version.rpartition("/")[0]
            for item in self.list(version, kind, namespace):
                found.setdefault((group, kind, item["metadata"]["name"]), {"apiVersion": version, "kind": kind} | item)
        return found


class Cluster:
    """Starts all of it in a temporary folder, with nodes in two zones; stops all of it at the end."""

    def __init__(self, programs, crds):
        self.programs, self.crds, self.running = Path(programs), Path(crds), []

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        with self.stack as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            self.start()
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *what):
        self.stack.close()

    def run(self, name, *flags):
        log = (self.programs.parent / f"{name}.log").open("w")
        process = subprocess.Popen([self.programs / name, *flags], stdout=log, stderr=log)
        self.running.append((name, process))

        def stop():
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.close()
        self.stack.callback(stop)

    def check(self):
        for name, process in self.running:
            if process.poll() is not None:
                text = (self.programs.parent / f"{name}.log").read_text().strip().splitlines()
                raise SystemExit("\n".join([*text[-5:], f"{name} ended"]))

    def until(self, what, check, deadline=60):
        def asked():
            self.check()
            try:
                return check()
            except Refused:
                return False
        wait_until(what, asked, deadline)

    def start(self):
        folder, store, peer, port = self.folder, *(f"http://127.0.0.1:{free_port()}" for _ in range(2)), free_port()
        url, certificates, key = f"https://127.0.0.1:{port}", folder / "certificates", folder / "accounts.key"
        self.kubeconfig, authority = folder / "kubeconfig", certificates / "apiserver.crt"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        tokens = folder / "tokens"
        tokens.write_text(f'{TOKEN},chart-live,chart-live,"system:masters"\n')
        self.run("etcd", "--data-dir", folder / "etcd", "--listen-client-urls", store, "--advertise-client-urls", store,
                 "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
                 "--unsafe-no-fsync", "--log-level", "error")
        self.run("kube-apiserver", f"--etcd-servers={store}", "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--secure-port={port}",
                 f"--cert-dir={certificates}", f"--token-auth-file={tokens}", "--authorization-mode=Node,RBAC", "--endpoint-reconciler-type=none",
                 "--service-cluster-ip-range=10.96.0.0/16", "--service-account-issuer=https://kubernetes.default.svc",
                 f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}")
        wait_until("the API server has its certificate", lambda: (self.check(), authority.exists())[1], 60)
        user, cluster = {"token": TOKEN}, {"server": url, "certificate-authority": str(authority)}
        self.kubeconfig.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "live", "contexts": [{"name": "live", "context": {"cluster": "live", "user": "live"}}],
            "clusters": [{"name": "live", "cluster": cluster}], "users": [{"name": "live", "user": user}]}))
        # What Helm remembers of an API server is to go with it.
        os.environ["KUBECACHEDIR"] = str(folder / "cache")
        self.api = Api(url, authority)
        self.until("the API server is ready", lambda: self.api.get("/readyz") == b"ok", 120)
        self.api.discover()
        common = [f"--kubeconfig={self.kubeconfig}", "--leader-elect=false"]
        # The played kubelets are not asked whether they live, and the autoscaler does not wait its 15 s.
        self.run("kube-controller-manager", *common, "--secure-port=0", f"--service-account-private-key-file={key}", f"--root-ca-file={authority}",
                 "--node-monitor-grace-period=3h", "--horizontal-pod-autoscaler-sync-period=1s")
        self.run("kube-scheduler", *common, "--secure-port=0")
        self.define()
        for name, zone, extra in (("plain-a", "a", {}), ("plain-b", "b", {}), ("chat-a", "a", {"pool": "chat"}), ("chat-b", "b", {"pool": "chat"})):
            self.node(name, zone, extra)
        self.kubelet = Kubelet(self.api)
        self.kubelet.start()
        self.stack.callback(self.kubelet.stop)
        self.until("the controllers run", lambda: self.api.get("/api/v1/namespaces/default/serviceaccounts/default"))
        self.until("the nodes are free", lambda: not [taint for node in self.api.list("v1", "Node", "") for taint in node["spec"].get("taints", [])
                                                      if taint["key"] != "chat"])

    def define(self):
        names = []
        for path in sorted(self.crds.glob("*.yaml")):
            for doc in yaml.safe_load_all(path.read_text()):
                if doc["spec"]["names"]["kind"] not in CUSTOM:
                    continue
                # Kubernetes' own groups ask for the address of a review; a definition that was made here had none.
                doc["metadata"]["annotations"]["api-approved.kubernetes.io"] = "unapproved, made from the Go types for a test"
                self.api.create(doc)
                names.append(doc["metadata"]["name"])

        def established(name):
            found = self.api.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")
            return any(c["type"] == "Established" and c["status"] == "True" for c in found.get("status", {}).get("conditions", []))
        for name in names:
            self.until(f"{name} is served", lambda name=name: established(name))
        self.api.discover()

    def node(self, name, zone, extra):
        labels = {"kubernetes.io/hostname": name, "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux", "topology.kubernetes.io/zone": zone, **extra}
        taints = [{"key": "chat", "value": "only", "effect": "NoSchedule"}] if extra else []
        self.api.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}, "spec": {"taints": taints}})
        size = {"cpu": "64", "memory": "256Gi", "pods": "500"}
        ready = [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "played"}]
        self.api.call("PATCH", f"/api/v1/nodes/{name}/status", {"status": {"capacity": size, "allocatable": size, "conditions": ready}}, STRATEGIC)


class Kubelet(threading.Thread):
    """Says of each scheduled pod what a kubelet would: a service's container starts at once and is well, a job's ends well. Like a kubelet
    it starts no pod whose secrets are missing. `failing` holds parts of names of jobs' pods that end badly."""

    def __init__(self, api):
        super().__init__(daemon=True)
        self.api, self.failing, self.waiting, self.ended, self.error = api, set(), {}, [], None
        self.addresses, self.over = itertools.count(2), threading.Event()

    def stop(self):
        self.over.set()
        self.join()

    def run(self):
        while not self.over.wait(0.1):
            try:
                for pod in self.api.get("/api/v1/pods")["items"]:
                    try:
                        self.attend(pod)
                    except Refused as refused:
                        # Somebody else was quicker: it is looked at again.
                        if refused.status not in (404, 409):
                            raise
            except Refused as refused:
                self.error = refused
            except OSError:
                # The API server had no time; the next look may find it.
                continue

    def attend(self, pod):
        meta, spec = pod["metadata"], pod["spec"]
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        if "nodeName" not in spec:
            return
        if "deletionTimestamp" in meta:
            self.api.call("DELETE", path, {"gracePeriodSeconds": 0, "preconditions": {"uid": meta["uid"]}})
        elif pod["status"].get("phase") == "Pending":
            missing = sorted(self.missing(meta["namespace"], spec))
            if missing:
                self.waiting[meta["name"]] = missing
                return
            self.waiting.pop(meta["name"], None)
            self.api.call("PATCH", f"{path}/status", {"status": self.status(meta["name"], spec)}, STRATEGIC)
            if spec["restartPolicy"] == "Never":
                self.ended.append(meta["name"])

    def missing(self, namespace, spec):
        for volume in spec.get("volumes", []):
            for source in volume.get("projected", {}).get("sources", []):
                if "secret" not in source:
                    continue
                name = source["secret"]["name"]
                try:
                    there = self.api.get(f"/api/v1/namespaces/{namespace}/secrets/{name}").get("data", {})
                except Refused:
                    there = {}
                yield from (f"{name}/{item['key']}" for item in source["secret"]["items"] if item["key"] not in there)

    def status(self, name, spec):
        number = next(self.addresses)
        address = f"10.200.{number // 250}.{number % 250 + 1}"
        ends = spec["restartPolicy"] == "Never"
        failed = ends and any(part in name for part in self.failing)
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        state = {"terminated": {"exitCode": int(failed), "reason": "Error" if failed else "Completed", "startedAt": now, "finishedAt": now}} if ends \
            else {"running": {"startedAt": now}}
        well = [{"type": kind, "status": "False" if ends and kind != "Initialized" else "True", "lastTransitionTime": now}
                for kind in ("Initialized", "ContainersReady", "Ready")]
        return {
            "phase": ("Failed" if failed else "Succeeded") if ends else "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": well,
            "containerStatuses": [
                {"name": one["name"], "image": one["image"], "imageID": "", "ready": not ends, "started": not ends, "restartCount": 0, "state": state}
                for one in spec["containers"]]}
