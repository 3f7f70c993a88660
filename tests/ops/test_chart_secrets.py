"""Where secrets and files come from, and who gets them."""

import base64
import json
import re

import pytest

from chart import CHART, CI, ROLES, deployment, environment, minimal, of_kind, pods, rendered
from settings import DEFAULTS
from support import ROOT

each_ci = pytest.mark.parametrize("name", CI)


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
