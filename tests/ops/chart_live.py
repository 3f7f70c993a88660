#!/usr/bin/env python3
"""Installs, upgrades, tests, rolls back and uninstalls the chart on a real API server; scripts/chart-live.sh builds it and calls this.

    chart_live.py target/chart-live [NAME OF A FILE OF helm/tidings/ci …]
"""

import re
import signal
import sys
import tempfile
import time

from chart import CHART, CI, GIVEN, ROLES, as_subchart, documents
from cluster import MERGE, Cluster, Refused
from installation import RELEASE, Broken, Installation, installation, need, shown

began = time.monotonic()


def say(text):
    print(f"chart-live: {time.monotonic() - began:4.0f} s  {text}", flush=True)


def life(cluster, name, folder):
    """A release with the values of a file of ci/, from its installation to its end."""
    values, chart, worker = ["-f", CI[name]], CHART, "worker."
    if name == "subchart":
        values, chart, worker = [], as_subchart(name, folder), "tidings.worker."
    with installation(cluster, name, values, GIVEN.get(name, ()), chart) as one:
        one.install()
        running, count = one.check_running(), one.check_objects()
        say(f"{name}: installed, {count} objects as rendered, {running} pods run, no warning")
        changed = one.changed_by("the same again")
        need(f"the same again changed {shown(changed)}", not changed)
        [deployment] = [found for found in one.release() if found[1] == "Deployment" and found[2].endswith("-worker")]
        changed = one.changed_by("a note on the workers", "--set-string", f"{worker}podAnnotations.live=2", restarted=["worker"])
        need(f"a note on the workers changed {shown(changed)}", changed == {deployment})
        one.check_objects()
        say(f"{name}: upgraded; the same values changed nothing, a note on the workers only {deployment[2]}")
        hooks = documents(one.helm("get", "hooks", RELEASE).stdout)
        if any(doc["kind"] == "Pod" for doc in hooks):
            one.helm("test", RELEASE, "--timeout", "1m")
            need("the pod of helm test ran", any(pod.endswith("-test") for pod in cluster.kubelet.ended))
    say(f"{name}: uninstalled, nothing is left")


def deployments(objects):
    """The Deployments among some objects, without how often each was changed."""
    found = {one: dict(doc, metadata=dict(doc["metadata"])) for one, doc in objects.items() if one[1] == "Deployment"}
    for doc in found.values():
        doc["metadata"].pop("generation", None)
    return found


def rollouts(cluster):
    """Rollouts to their end, which files of ci/ with their long windows would take minutes for; a rollback; a change of one secret."""
    with installation(cluster, "rollouts", ["-f", CI["minimal"], "--set", "drain.windowSeconds=1"]) as one:
        one.install("--wait")
        old = deployments(one.release())
        strange = f"/apis/policy/v1/namespaces/{one.namespace}/poddisruptionbudgets/live-tidings-push"
        cluster.api.call("PATCH", strange, {"spec": {"maxUnavailable": 2}}, MERGE)
        try:
            one.check_objects()
        except Broken as found:
            need(f"a changed object is found: {found}", "live-tidings-push differs" in str(found))
        else:
            raise Broken("a changed object was not found")
        cluster.api.call("PATCH", strange, {"spec": {"maxUnavailable": 1}}, MERGE)
        one.check_objects()
        readers = ["gateway", "push"]
        changed = one.changed_by("another secret", "--wait", "--set", f"auth.hs256Secret={'x' * 40}", restarted=readers)
        names = {(kind, found) for _, kind, found in changed}
        expected = {("Secret", "live-tidings"), *(("Deployment", f"live-tidings-{role}") for role in readers)}
        need(f"another secret changed {shown(changed)}", names == expected)
        say("rollouts: another secret replaced the pods of those who read it, and no others")
        one.changed_by("a rollback", RELEASE, "1", "--wait", restarted=readers, command=lambda *args: one.helm("rollback", *args))
        need("a rollback brings back what was", deployments(one.release()) == old)
        say("rollouts: a rollback brought back what was")
        # As docs/operations.md changes the number of partitions: with the gateways sent away by hand.
        one.scale("gateway", 0)
        cluster.until("the gateways are away", lambda: not one.pods_of("gateway"))
        one.upgrade("--set", "config.queue.partitions=4", "--wait")
        one.check_running()
        one.scale("gateway", 3)
        done = one.upgrade("--set", "config.queue.partitions=4", check=False)
        need(f"Helm leaves another's number alone: {done.stderr}", done.returncode and "conflict" in done.stderr)
        one.upgrade("--set", "config.queue.partitions=4", "--force-conflicts", "--wait")
        one.check_running()
        one.check_objects()
        say("rollouts: Helm brought back gateways that were scaled to 0; from another number than 0 only by force")


def autoscaling(cluster, way, *applied):
    """Switching it on for a release that runs: refused as long as it would take all pods but one away, whichever way Helm applies."""
    on = ("--set", "gateway.autoscaling.enabled=true,gateway.autoscaling.minReplicas=4")
    off = ("--set", "gateway.replicas=6")
    with installation(cluster, f"autoscaling-{way}", ["-f", CI["minimal"], "--set", "drain.windowSeconds=1,gateway.replicas=4"]) as one:
        one.install("--wait", *applied)
        pods_before = set(one.pods_of("gateway"))
        if way == "client":
            done = one.upgrade(*on, check=False)
            need(f"autoscaling is refused for a release applied by the client: {done.stderr}", done.returncode and "--server-side=true" in done.stderr)
            one.upgrade("--server-side=true")
        done = one.upgrade(*on, check=False)
        found = re.search(r"kubectl -n (\S+) scale deployment/(\S+) --replicas=5", done.stderr)
        need(f"autoscaling is refused with what to do first: {done.stderr}", done.returncode and found)
        need("it names what is there", found[1] == one.namespace and found[2] == one.deployment("gateway")["metadata"]["name"])
        one.scale("gateway", 5)
        one.upgrade(*on)
        one.upgrade(*on)
        scaled = f"/apis/autoscaling/v2/namespaces/{one.namespace}/horizontalpodautoscalers/live-tidings-gateway"
        cluster.until("the autoscaler sees them", lambda: cluster.api.get(scaled)["status"]["currentReplicas"] == 5)
        cluster.until("all run", lambda: one.deployment("gateway")["status"].get("readyReplicas") == 5)
        need("no gateway was taken away", pods_before <= set(one.pods_of("gateway")))
        done = one.upgrade(*off, check=False)
        need(f"switching it off is refused while another owns the number: {done.stderr}", done.returncode and "conflict" in done.stderr)
        one.upgrade(*off, "--force-conflicts")
        need("the number is the chart's again", one.deployment("gateway")["spec"]["replicas"] == 6)
    say(f"autoscaling, applied by the {way}: refused while it would take gateways away; after the number was handed over, none was")


def failed_migration(cluster):
    """A migration that fails: nothing is rolled out, its Job stays to be read, and the next try is not in its way."""
    one = Installation(cluster, "failed", ["-f", CI["minimal"], "--set", "migrations.backoffLimit=0"])
    one.prepare(())
    before = set(one.objects())
    cluster.kubelet.failing.add("-migrate-")
    done = one.install(check=False)
    need("the installation fails", done.returncode != 0 and "live-tidings-migrate" in done.stderr)
    there = {found[1:] for found in one.objects().keys() - before}
    need(f"nothing was rolled out: {there}", not {kind for kind, _ in there} & {"Deployment", "Service", "ReplicaSet"})
    need(f"the Job and its pod stay: {there}", ("Job", "live-tidings-migrate") in there and [n for kind, n in there if kind == "Pod"])
    cluster.kubelet.failing.clear()
    one.install(command=("upgrade", "--install"))
    one.check_running("BackoffLimitExceeded")
    cluster.kubelet.failing.add("-migrate-")
    pods_before = {role: set(one.pods_of(role)) for role in ROLES}
    done = one.upgrade("--set-string", "gateway.podAnnotations.live=2", check=False)
    need("the upgrade fails", done.returncode != 0)
    need("a failed migration touches no pod", {role: set(one.pods_of(role)) for role in ROLES} == pods_before)
    cluster.kubelet.failing.clear()
    one.helm("uninstall", RELEASE)
    # Hooks are no part of a release to Helm: what a failed one kept to be read is not removed with it.
    cluster.until("only the failed Job and its pod are left", lambda: {
        (kind, found) for _, kind, found in one.objects().keys() - before if kind != "Pod"} == {("Job", "live-tidings-migrate")})
    say("failed migration: nothing was rolled out, its Job stayed, the next try went through; uninstalling after a failed one leaves its Job")


def server_refuses(cluster):
    """What the checks above rely on: the server does refuse and warn."""
    one = Installation(cluster, "refusals", [])
    container = {"name": "x", "image": "x"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}}}
    made = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": spec}
    route = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "x"}, "spec": {"rulez": []}}
    timeouts = {"request": "1s", "backendRequest": "2s"}

    def refused(doc):
        try:
            cluster.api.create(doc, one.namespace, dryRun="All", fieldValidation="Strict")
        except Refused as refusal:
            return refusal.message
        return ""
    need("a pod without limits to its rights is refused", "violates PodSecurity" in refused(pod))
    need("a Deployment of such pods is warned of", any("would violate" in text for text in cluster.api.create(made, one.namespace, dryRun="All")[1]))
    need("an unknown field is refused", 'unknown field "spec.portz"' in refused(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"ports": [{"port": 1}], "portz": []}}))
    need("an unknown field of a custom resource is refused", 'unknown field "spec.rulez"' in refused(route))
    need("a rule of a custom resource is held", "backendRequest" in refused(route | {"spec": {"rules": [{"timeouts": timeouts}]}}))
    say("the API server refuses pods that are not restricted, unknown fields and broken rules of custom resources")


def main():
    built, *names = sys.argv[1:]
    unknown = set(names) - set(CI)
    if unknown:
        sys.exit(f"chart-live: there is no helm/tidings/ci/{unknown.pop()}.yaml")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    try:
        with Cluster(f"{built}/bin", f"{built}/crds") as cluster, tempfile.TemporaryDirectory() as folder:
            version = cluster.api.get("/version")["gitVersion"]
            say(f"Kubernetes {version} is up: etcd, API server, controllers, scheduler, four nodes without containers")
            server_refuses(cluster)
            for name in names or CI:
                life(cluster, name, folder)
            if not names:
                rollouts(cluster)
                autoscaling(cluster, "server")
                autoscaling(cluster, "client", "--server-side=false")
                failed_migration(cluster)
            need(f"the played kubelet: {cluster.kubelet.error}", not cluster.kubelet.error)
    except (Broken, Refused, SystemExit, OSError) as broken:
        sys.exit(f"chart-live: FAILED: {broken}")
    say("passed")


if __name__ == "__main__":
    main()
