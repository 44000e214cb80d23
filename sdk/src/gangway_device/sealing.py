"""HPKE (RFC 9180) as the hand-over uses it, as pure functions. The only module that needs `cryptography`."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

SUITE = "DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM"
INFO = b"gangway hand-over 1"
_suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)


def make_private_key() -> bytes:
    """A new X25519 private key (RFC 7748), 32 bytes."""
    return X25519PrivateKey.generate().private_bytes_raw()


def public_key_of(private_key: bytes) -> bytes:
    """The public key that belongs to it, 32 bytes."""
    return X25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()


def open_sealed(private_key: bytes, sealed: bytes) -> bytes:
    """What was sealed (encapsulated key, then ciphertext). Raises ValueError: damaged, or sealed to another key."""
    try:
        return _suite.decrypt(sealed, X25519PrivateKey.from_private_bytes(private_key), INFO)
    except InvalidTag:
        raise ValueError("damaged, or sealed to another key") from None
