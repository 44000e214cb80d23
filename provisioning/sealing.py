"""Hand-overs that only one poller can read, as pure functions.

What is stored until the device confirms is a ciphertext: to the device's X25519 key (HPKE base mode, RFC 9180 section
6), or under a
key derived from its poll token (HKDF, RFC 5869), of which the portal keeps only a keyed digest. So the database never
holds a secret in usable form, and yet the identical bytes can be given again.
"""

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SUITE = "DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM"
INFO = b"gangway hand-over 1"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)
# Points of small order: with one of them, everybody could open what is sealed (RFC 7748 section 6.1).
_PROBE = bytes(range(1, 33))


class NotOpened(Exception):
    """The ciphertext does not open with what was presented."""


def read_public_key(text: str) -> bytes:
    """The 32 bytes of an X25519 public key in base64url without padding. Raises ValueError unless it is usable."""
    try:
        key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise ValueError("It is not base64url.") from None
    if len(key) != _KEY_BYTES or encode(key) != text:
        raise ValueError("It is not the base64url form, without padding, of 32 bytes.")
    _refuse_small_order(key)
    return key


def seal_to_key(public_key: bytes, plaintext: bytes) -> bytes:
    """Encapsulated key and ciphertext, one after the other."""
    return _suite.encrypt(plaintext, X25519PublicKey.from_public_bytes(public_key), INFO)


def seal_with_token(poll_token: str, salt: bytes, plaintext: bytes) -> bytes:
    """Nonce and ciphertext, under a key that only the token's holder can derive."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(_token_key(poll_token, salt)).encrypt(nonce, plaintext, INFO)


def open_with_token(poll_token: str, salt: bytes, sealed: bytes) -> bytes:
    """Raises NotOpened when it is another token."""
    try:
        return AESGCM(_token_key(poll_token, salt)).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], INFO)
    except InvalidTag:
        raise NotOpened from None


def encode(data: bytes) -> str:
    """base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _token_key(poll_token: str, salt: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=INFO).derive(poll_token.encode())


def _refuse_small_order(key: bytes) -> None:
    try:
        X25519PrivateKey.from_private_bytes(_PROBE).exchange(X25519PublicKey.from_public_bytes(key))
    except ValueError:
        raise ValueError("It is no usable X25519 key.") from None
