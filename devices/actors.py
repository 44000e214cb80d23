"""Who does something, for the history: handed to every service that changes a state."""

from dataclasses import dataclass
from typing import Self

from portal.lib.request_id import current_request_id


@dataclass(frozen=True, slots=True)
class Actor:
    """`kind` is "user", "device" or "system"; `network` the IP address the request came from, where there is one."""

    kind: str
    user_id: int | None = None
    network: str | None = None
    request_id: str = ""

    @classmethod
    def user(cls, user_id: int, network: str | None = None) -> Self:
        return cls("user", user_id, network, current_request_id())

    @classmethod
    def device(cls, network: str | None = None) -> Self:
        return cls("device", None, network, current_request_id())

    @classmethod
    def system(cls) -> Self:
        return cls("system")
