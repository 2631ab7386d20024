"""A real Kubernetes API server with its etcd, on loopback, with a state folder of its own (envtest's convention)."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config

from tests.ports import free_ports

READY_SECONDS = 300.0


@dataclass
class ControlPlane:
    """One API server and one etcd; no kubelet, so no pod ever runs.

    Attributes:
        assets: Where ``kube-apiserver`` and ``etcd`` lie.
        folder: Its state.
        flags: More of the API server's.
    """

    assets: Path
    folder: Path
    flags: tuple[str, ...] = ()
    tokens: dict[str, str] = field(default_factory=dict)
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port, self._etcd, self._peer = free_ports(3)
        key = self.folder / "sa.key"
        subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
        self.tokens = {"admin": secrets.token_hex(16)}
        self._write_tokens({"admin": ("system:masters",)})

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://127.0.0.1:{self.port}"

    def _write_tokens(self, users: dict[str, tuple[str, ...]]) -> None:
        lines = [f'{self.tokens[user]},{user},{user},"{",".join(groups)}"' for user, groups in users.items()]
        (self.folder / "tokens.csv").write_text("\n".join(lines) + "\n")

    def add_users(self, users: dict[str, tuple[str, ...]]) -> None:
        """Give people tokens, with groups; before :meth:`start`."""
        for user in users:
            self.tokens.setdefault(user, secrets.token_hex(16))
        self._write_tokens({"admin": ("system:masters",), **users})

    def show_webhooks(self, path: Path, host: str, identity: Path) -> None:
        """Write the file by which the API server shows a certificate to webhooks; before :meth:`start`.

        Args:
            path: Of the file, which ``--admission-control-config-file`` names.
            host: Of the webhooks, with the port.
            identity: Folder of ``tls.crt`` and ``tls.key``.
        """
        shown = {"client-certificate": str(identity / "tls.crt"), "client-key": str(identity / "tls.key")}
        kubeconfig = path.with_name(f"{path.name}.kubeconfig")
        body = {"apiVersion": "v1", "kind": "Config", "users": [{"name": host, "user": shown}]}
        kubeconfig.write_text(yaml.safe_dump(body))
        plugins = [
            {
                "name": name,
                "configuration": {
                    "apiVersion": "apiserver.config.k8s.io/v1",
                    "kind": "WebhookAdmissionConfiguration",
                    "kubeConfigFile": str(kubeconfig),
                },
            }
            for name in ("MutatingAdmissionWebhook", "ValidatingAdmissionWebhook")
        ]
        config = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration", "plugins": plugins}
        path.write_text(yaml.safe_dump(config))

    def start(self) -> None:
        """Start both, and wait until the API server is ready."""
        self.start_etcd()
        self.start_api()

    def start_etcd(self) -> None:
        """Start etcd on what its folder holds."""
        self._run(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls=http://127.0.0.1:{self._etcd}",
            f"--advertise-client-urls=http://127.0.0.1:{self._etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{self._peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{self._peer}",
            f"--initial-cluster=default=http://127.0.0.1:{self._peer}",
            "--unsafe-no-fsync",
        )

    def start_api(self) -> None:
        """Start the API server, and wait until it is ready."""
        key = self.folder / "sa.key"
        self._run(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{self._etcd}",
            f"--cert-dir={self.folder / 'certs'}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--service-account-issuer={self.url}",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            f"--api-audiences={self.url}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--disable-admission-plugins=ServiceAccount",
            "--max-requests-inflight=4000",
            "--max-mutating-requests-inflight=2000",
            *self.flags,
        )
        end = time.monotonic() + READY_SECONDS
        while not self._is_ready():
            if time.monotonic() > end or self._processes["kube-apiserver"].poll() is not None:
                raise RuntimeError(f"kube-apiserver is not ready: see {self.folder / 'kube-apiserver.log'}")
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop both."""
        self.stop_api()
        self._end("etcd")

    def stop_api(self) -> None:
        """Stop the API server; what it keeps stays in etcd."""
        self._end("kube-apiserver")

    def wipe(self) -> None:
        """Lose everything that etcd holds, and start again."""
        self.stop()
        shutil.rmtree(self.folder / "etcd")
        self.start()

    def kubeconfig(self, user: str = "admin", token: str | None = None) -> Path:
        """Write a kubeconfig for a user, or for the bearer of a token."""
        path = self.folder / f"kubeconfig-{user}"
        body = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "test",
                    "cluster": {"server": self.url, "certificate-authority": str(self.folder / "certs/apiserver.crt")},
                }
            ],
            "users": [{"name": user, "user": {"token": token or self.tokens[user]}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
            "current-context": "test",
        }
        path.write_text(yaml.safe_dump(body))
        return path

    def api(self, user: str = "admin", token: str | None = None) -> client.ApiClient:
        """Give a client for a user."""
        made: client.ApiClient = config.new_client_from_config(  # type: ignore[no-untyped-call]
            str(self.kubeconfig(user, token))
        )
        return made

    def token_of(self, namespace: str, account: str) -> str:
        """Ask for a real token of a service account (TokenRequest)."""
        body = {"spec": {"audiences": [self.url], "expirationSeconds": 3600}}
        core: Any = client.CoreV1Api(self.api())
        answer = core.create_namespaced_service_account_token(account, namespace, body)
        return str(answer.status.token)

    def _is_ready(self) -> bool:
        command = [
            "curl",
            "-fsk",
            "-m",
            "2",
            "-H",
            f"Authorization: Bearer {self.tokens['admin']}",
            f"{self.url}/readyz",
        ]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _run(self, name: str, *words: str) -> None:
        log = (self.folder / f"{name}.log").open("ab")
        self._processes[name] = subprocess.Popen([str(self.assets / name), *words], stdout=log, stderr=log)
        log.close()

    def _end(self, name: str) -> None:
        process = self._processes.pop(name, None)
        if process is None:
            return
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


def assets() -> Path | None:
    """Say where the binaries lie; None if nobody said."""
    named = os.environ.get("KUBEBUILDER_ASSETS")
    return Path(named) if named and (Path(named) / "kube-apiserver").exists() else None
