"""The device's side of a hand-over, by the letter of docs/device-protocol.md."""

import base64
import json

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from django.db import connection

from tests.base import make_poll_token, make_statement

KINDS = ["key", "token"]


class DeviceSide:
    """A device with a key or a token: what it says, and how it reads what it is given."""

    def __init__(self, kind, serial=None):
        self._key = X25519PrivateKey.generate() if kind == "key" else None
        public = base64url(self._key.public_key().public_bytes_raw()) if self._key else ""
        token = make_poll_token() if kind == "token" else ""
        self.statement = make_statement(serial, poll_token=token, public_key=public)

    @property
    def body(self):
        poller = self.statement.poller
        who = {"pollToken": poller.poll_token, "publicKey": poller.public_key}
        return {"serialNumber": self.statement.serial_number} | {name: value for name, value in who.items() if value}

    def read(self, body):
        document = json.loads(body)
        if self._key is None or "sealed" not in document:
            return document
        suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)
        sealed = base64.urlsafe_b64decode(document["sealed"] + "==")
        return json.loads(suite.decrypt(sealed, self._key, b"gangway hand-over 1"))


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def dump():
    """Every value of every row of the database, as bytes."""
    parts = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608  names the database gave
            for row in cursor.fetchall():
                parts += [
                    bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode() for value in row
                ]
    return b"\x00".join(parts)


def assert_not_in_database(secret):
    content = dump()
    assert secret.encode() not in content
    assert secret.removeprefix("gwd_").encode() not in content
