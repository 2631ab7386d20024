"""Certificates for webhooks where no certificate manager runs: an authority for one certificate, and never again.

The authority's key is forgotten at once, so nobody can steal it; the next certificate comes with the next authority.
"""

from __future__ import annotations

import base64
import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_SKEW: Final = timedelta(minutes=5)


@dataclass(frozen=True)
class Issued:
    """One certificate with what is needed to use and to trust it; PEM.

    Attributes:
        authority: The certificate that vouches for it.
        certificate: The certificate.
        key: Its private key.
    """

    authority: bytes
    certificate: bytes
    key: bytes


def issue_certificate(hosts: Sequence[str], *, now: datetime, lifetime: timedelta) -> Issued:
    """Make a certificate, and the authority that vouches for it.

    Args:
        hosts: Names or addresses by which API servers call; the first is what it is called.
        now: The clock.
        lifetime: How long both hold.

    Raises:
        ValueError: A host is none, or there is none.
    """
    if not hosts:
        raise ValueError("a certificate needs a host")
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    # A name of its own each time: two authorities in one bundle must not be taken for one another.
    issuer = _name(f"Flagseal webhooks {x509.random_serial_number():x}"[:60])
    until = now + lifetime
    authority = (
        _builder(issuer, issuer, authority_key.public_key(), now, until)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    certificate = (
        _builder(_name(hosts[0][:60]), issuer, key.public_key(), now, until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)
        .add_extension(identifier, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return Issued(
        authority.public_bytes(Encoding.PEM),
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def service_hosts(service: str, namespace: str) -> tuple[str, ...]:
    """Give the names by which an API server calls a service."""
    return tuple(f"{service}.{namespace}.svc{suffix}" for suffix in ("", ".cluster.local"))


def bundle_patch(*authorities: bytes) -> list[dict[str, Any]]:
    """Write the JSON patch by which a webhook configuration trusts some authorities."""
    bundle = base64.b64encode(b"".join(authorities)).decode("ascii")
    return [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": bundle}]


def _name(words: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, words)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(until)
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
