"""Who polls: a plain poller names only a serial number, others bind their enrolment to something only they have."""

from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings

from portal.lib.tokens import keyed_digest


class PollerKind(StrEnum):
    PLAIN = "plain"
    TOKEN = "token"  # noqa: S105  the name of a kind
    KEY = "key"
    # Nobody yet: the first to poll takes the enrolment, and becomes one of the others.
    UNBOUND = "unbound"


@dataclass(frozen=True, slots=True)
class Poller:
    """What a request presents. A key goes before a token: who has both is bound to the key."""

    poll_token: str = ""
    public_key: str = ""

    @property
    def kind(self) -> PollerKind:
        if self.public_key:
            return PollerKind.KEY
        return PollerKind.TOKEN if self.poll_token else PollerKind.PLAIN

    @property
    def digest(self) -> str:
        """What the enrolment is found by; "" for a plain poller. Keyed, because a device could choose a poor token."""
        match self.kind:
            case PollerKind.KEY:
                return keyed_digest(settings.SECRET_KEY, "public-key", self.public_key)
            case PollerKind.TOKEN:
                return keyed_digest(settings.SECRET_KEY, "poll-token", self.poll_token)
            case _:
                return ""

    def __repr__(self) -> str:
        return f"Poller({self.kind})"
