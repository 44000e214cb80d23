"""Making and checking secrets that are kept as digests.

Secrets made here carry 256 random bits, so one fast hash is the right digest (NIST SP 800-63B section 5.1.2.2 asks
for slow
hashes only for secrets that can be guessed). Short or chosen values (codes, serial numbers, poll tokens) get a keyed
digest: whoever has only the database cannot try them out.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

PREFIX_LENGTH = 12


@dataclass(frozen=True, slots=True)
class MintedSecret:
    """A new secret and what is stored of it. `secret` exists only here and in the answer that hands it out."""

    secret: str
    prefix: str
    digest: str

    def __repr__(self) -> str:
        return f"MintedSecret(prefix={self.prefix!r})"


def mint(kind: str) -> MintedSecret:
    """A new secret of 256 random bits, in the form `kind_…` so that secret scanners and people can tell what it is."""
    secret = f"{kind}_{secrets.token_urlsafe(32)}"
    return MintedSecret(secret=secret, prefix=secret[:PREFIX_LENGTH], digest=digest(secret))


def digest(secret: str) -> str:
    """The stored form of a secret of 256 random bits: SHA-256, lower-case hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


def keyed_digest(key: str, purpose: str, value: str) -> str:
    """HMAC-SHA-256 (RFC 2104) of a value that could be guessed; `purpose` keeps the digests of two uses apart."""
    return hmac.new(key.encode(), f"{purpose}\x00{value}".encode(), hashlib.sha256).hexdigest()


def matches(stored_digest: str, candidate_digest: str) -> bool:
    """Compare two digests in constant time."""
    return hmac.compare_digest(stored_digest, candidate_digest)
