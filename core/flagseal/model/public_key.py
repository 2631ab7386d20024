"""OpenSSH public keys as people list them (RFC 4253 section 6.6, RFC 5656, RFC 8709, PROTOCOL.u2f of OpenSSH)."""

from __future__ import annotations

LEAST_RSA_BITS = 2048

KEY_TYPES = ("ssh-ed25519", "sk-ssh-ed25519@openssh.com", "ecdsa-sha2-nistp256", "ssh-rsa")
"""Types whose signatures are verified; others are refused when they are listed, not when they are needed."""


def key_material(text: str) -> bytes:
    """Give the key itself, free of type, comment and spelling, so that two entries of one key are seen to be one.

    Args:
        text: ``ssh-ed25519 AAAA… comment``.

    Raises:
        ValueError: It is not a public key of :data:`KEY_TYPES`, or is too weak.

    Returns:
        The SubjectPublicKeyInfo, DER.
    """
    # Here and not above: most of what imports the model never reads a key.
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        PublicFormat,
        load_ssh_public_key,
    )

    kind, _, rest = text.partition(" ")
    if kind not in KEY_TYPES:
        raise ValueError(f"keys of type {kind} are not verified here, only {', '.join(KEY_TYPES)}")
    try:
        key = load_ssh_public_key(f"{kind} {rest.partition(' ')[0]}".encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("it cannot be read as an OpenSSH public key") from error
    if isinstance(key, RSAPublicKey) and key.key_size < LEAST_RSA_BITS:
        raise ValueError(f"an RSA key needs at least {LEAST_RSA_BITS} bits, this one has {key.key_size}")
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
