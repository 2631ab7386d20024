"""docs/install-cluster.md on a real API server, as it stands: installing, upgrading and every rotation of keys."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from flagseal_operator.resources import PLURALS
from tests.cluster.control_plane import ControlPlane, assets
from tests.cluster.page import TOP, Page
from tests.operator.test_manifests import needs_kubectl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

STORE = "s3://flagseal-production/cluster-a"
PATIENCE = 300.0
"""Seconds: a busy machine is no fault of the page."""
ROOT = "production/trust/root.json"


class Pod:
    """The process that a cluster with nodes would run: it mounts what the cluster's Secrets hold."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Mount, and run."""
        mounted, store = self.page.folder / "mounted", self.page.replaced[STORE]
        mounted.mkdir(exist_ok=True)
        secrets = {"flagseal-online-key": "online.pem", "flagseal-admission-key": "admission.pem"}
        for secret, name in secrets.items():
            data = json.loads(self.page.paste(f"kubectl -n flagseal-system get secret {secret} -o json"))["data"]
            path = mounted / name
            path.touch(mode=0o600)
            path.write_bytes(base64.b64decode(data[name]))
        words = f"--store {store} --root {ROOT} --online-key file:mounted/online.pem --port 0 --identity pod"
        with (self.page.folder / "pod.log").open("w") as log:
            self._process = subprocess.Popen(
                ["flagseal", "operator", "run", *words.split()],
                cwd=self.page.folder,
                env=self.page.environment,
                stdout=log,
                stderr=log,
                text=True,
            )

    def stop(self) -> None:
        """End it in order, so that the next need not wait for the Lease to run out."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE)

    @property
    def log(self) -> str:
        """What it said."""
        return (self.page.folder / "pod.log").read_text()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """Sit before the page, with a flag repository and a cluster in which there is nothing."""
    found = assets()
    if found is None:
        pytest.skip("KUBEBUILDER_ASSETS is not set: no kube-apiserver and etcd to test against")
    plane = ControlPlane(found, tmp_path / "plane")
    plane.start()
    try:
        checkout = tmp_path / "flags"
        checkout.mkdir()
        page = Page.read("install-cluster.md", checkout, plane.kubeconfig(), {STORE: str(tmp_path / "store")})
        page.paste("flagseal init --demo .demo && shopt -s dotglob && mv .demo/* . && rmdir .demo")
        shutil.copytree(TOP / "operator", checkout / "operator", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        (checkout / ".git/info/exclude").write_text("*\n")
        yield page
    finally:
        plane.stop()


@pytest.fixture
def pod(page: Page) -> Iterator[Pod]:
    """A pod that does not outlive the test."""
    pod = Pod(page)
    yield pod
    pod.stop()


def until(holds: Callable[[], object], pod: Pod) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, pod.log
        time.sleep(0.2)


def there(page: Page, words: str) -> Any:  # noqa: ANN401 (JSON)
    """Read something from the cluster."""
    return json.loads(page.paste(f"kubectl -n flagseal-system get {words} -o json"))


def stored(page: Page, secret: str, name: str) -> bytes:
    """Read what a Secret holds."""
    return base64.b64decode(there(page, f"secret {secret}")["data"][name])


def admission_of(page: Page) -> str:
    """Read whose receipts count."""
    shown = page.paste(f"flagseal trust show --store {page.replaced[STORE]} --data ./production")
    found = re.search(r"^admission +([0-9a-f]+)", shown, re.MULTILINE)
    assert found is not None
    return found[1]


@needs_kubectl
def test_the_page_installs_upgrades_and_rotates_every_key(page: Page, pod: Pod) -> None:
    """Each block is pasted as it is printed, in its order; what it promises is looked at after it."""
    founding, secrets = page.sections["1. Found the trust"]
    page.paste(
        founding.replace("--data ./production", "--data ./production --admission-key ./production/admission.pem")
    )
    page.paste(secrets)
    pinned = (page.folder / ROOT).read_text()
    assert there(page, "configmap flagseal-root")["data"]["root.json"] == pinned
    page.run("2. Install definitions and operator")
    definitions = {it["spec"]["names"]["plural"] for it in there(page, "crd")["items"]}
    assert definitions >= set(PLURALS.values())
    assert there(page, "deployment flagseal-operator")["spec"]["replicas"] == 2
    _bring_webhooks(page)

    # In the place of pods.
    pod.start()
    namespaces, apply = page.sections["3. Bring the history"]
    page.paste(namespaces)
    page.paste(apply)
    until(lambda: "published head 0" in pod.log, pod)
    page.paste(apply)
    until(lambda: "False" not in (shown := page.paste("kubectl get flags -A")) and " True " in shown, pod)
    _upgrade(page)
    _rotate(page, pod)


def _bring_webhooks(page: Page) -> None:
    page.run("Admission webhooks", 0, 2)
    authority = base64.b64encode((page.folder / "webhook-certs/ca.crt").read_bytes()).decode()
    for kind in ("mutatingwebhookconfiguration", "validatingwebhookconfiguration"):
        (webhook,) = there(page, f"{kind} flagseal")["webhooks"]
        assert webhook["clientConfig"]["caBundle"] == authority
    assert stored(page, "flagseal-webhook-certs", "tls.crt") == (page.folder / "webhook-certs/tls.crt").read_bytes()
    # An API server on the loopback interface does not say where it is.
    subset = {"addresses": [{"ip": "10.1.2.3"}, {"ip": "10.1.2.4"}], "ports": [{"name": "https", "port": 6443}]}
    body = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "kubernetes"}, "subsets": [subset]}
    (page.folder / "endpoints.yaml").write_text(yaml.safe_dump(body))
    page.paste("kubectl -n default apply -f endpoints.yaml")
    page.run("Admission webhooks", 2)
    (rule,) = there(page, "networkpolicy flagseal-operator-webhooks")["spec"]["ingress"]
    assert [it["ipBlock"]["cidr"] for it in rule["from"]] == ["10.1.2.3/32", "10.1.2.4/32"]
    assert [it["port"] for it in rule["ports"]] == [9443]


def _upgrade(page: Page) -> None:
    page.run("Upgrade")
    assert page.paste(page.sections["Upgrade"][-1]).startswith("pod")
    assert "False" not in page.paste("kubectl get flags -A")


def _rotate(page: Page, pod: Pod) -> None:
    online, renewed, others, admission = page.sections["Rotate keys"]
    before = stored(page, "flagseal-online-key", "online.pem")
    page.paste(online)
    assert stored(page, "flagseal-online-key", "online.pem") != before
    restarted = there(page, "deployment flagseal-operator")["spec"]["template"]["metadata"]["annotations"]
    assert "kubectl.kubernetes.io/restartedAt" in restarted
    _go_on(page, pod)
    page.paste(renewed)
    page.paste(others)
    _go_on(page, pod)
    old = admission_of(page)
    page.paste(admission, KEYID=old)
    assert admission_of(page) != old
    key = (page.folder / "production/admission.pem").read_bytes()
    assert stored(page, "flagseal-admission-key", "admission.pem") == key
    _go_on(page, pod)


def _go_on(page: Page, pod: Pod) -> None:
    """Restart the pod, and see that the new keys publish what clients follow from the root that they pinned."""
    pod.stop()
    timestamp = page.folder.parent / "store/metadata/timestamp.json"
    before = timestamp.read_bytes()
    pod.start()
    until(lambda: timestamp.read_bytes() != before, pod)
    page.paste(f"flagseal snapshot verify {page.replaced[STORE]} --root {ROOT}")
