"""What the pages tell a newcomer to type: three URLs and one secret, and `helm test` sends a message through."""

import base64
import re
import shlex

import kubernetes_validate
import pytest
import yaml

from chart import CHART, NEWEST, OLDEST, documents, environment, of_kind, pods, template
from support import ROOT

PAGES = [CHART / "README.md", ROOT / "docs/operations.md"]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def typed(page):
    """The `--set` arguments of the page's `helm install`, as a shell would hand them over."""
    text = re.search(r"^helm install (.*?[^\\])\n", page.read_text(), re.S | re.M)[1].replace("\\\n", " ")
    words = shlex.split(text.replace("$(openssl rand -hex 32)", "5e" * 32))
    assert words[:2] == ["tidings", "./helm/tidings"]
    return [word for flag, value in zip(words, words[1:]) if flag == "--set" for word in (flag, value)]


def installed(page, version=NEWEST):
    return documents(template(*typed(page), version=version, release="tidings").stdout)


@each_page
def test_it_is_three_urls_and_one_secret_beside_the_image(page):
    given = {value.split("=")[0] for value in typed(page)[1::2]}
    assert given == {"image.registry", "image.repository", "postgres.url", "rabbitmq.url", "redis.url", "auth.hs256Secret"}


@each_page
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_would_take_it(page, version):
    docs = installed(page, version)
    assert {doc["kind"] for doc in docs} >= {"Deployment", "Service", "Job", "Secret", "Pod"}
    for doc in docs:
        kubernetes_validate.validate(doc, version, strict=True)


@each_page
def test_helm_test_runs_the_probe_against_the_installed_service(page):
    docs = installed(page)
    [(name, _, spec)] = [pod for pod in pods(docs) if pod[0].endswith("-test")]
    [container] = spec["containers"]
    command, *flags = container["args"]
    options = dict(zip(flags[::2], flags[1::2]))
    # The same words as in tests/it/journey/probe.rs, which runs it against the real roles.
    assert (command, set(options)) == ("probe", {"--url", "--timeout"})
    [service] = [doc for doc in of_kind(docs, "Service") if doc["metadata"]["name"] == "tidings"]
    [port] = [port["port"] for port in service["spec"]["ports"]]
    assert options["--url"] == f"http://tidings:{port}"
    # It mints its token with the secret that was given.
    secret_file = environment(spec)["TIDINGS__AUTH__HS256_SECRET_FILE"]
    secrets = {doc["metadata"]["name"]: doc for doc in of_kind(docs, "Secret")}
    mounted = {}
    for volume in spec["volumes"]:
        for source in volume.get("projected", {}).get("sources", []):
            for item in source["secret"]["items"]:
                held = secrets[source["secret"]["name"]]["data"][item["key"]]
                mounted[item["path"]] = base64.b64decode(held).decode()
    assert mounted[secret_file.rsplit("/", 1)[1]] == "5e" * 32, yaml.safe_dump(spec)
