"""What lane and view need of a poll request, and what they tell each other about it."""

import uuid
from dataclasses import dataclass

from django.http import HttpRequest
from rest_framework.request import Request

from portal.lib.asgi import Message, Receive, Scope

POLL_PATH = "/api/v1/provisioning/poll"
SCOPE_KEY = "gangway.poll"
BODY_LIMIT = 16 * 1024


@dataclass(slots=True)
class PollContext:
    """One poll request on its way through the lane to the view.

    `is_held`: it may be kept until something changes. `is_repeated`: it was asked before and is asked again, on the
    device's behalf. `is_paced`: whether it came too soon was looked at. `enrolment_id`: what it waits for.
    `is_news`: the answer tells the device something it should show, so it is not held back.
    """

    is_held: bool = False
    is_repeated: bool = False
    is_paced: bool = False
    enrolment_id: uuid.UUID | None = None
    is_news: bool = False


def poll_context(request: Request | HttpRequest) -> PollContext:
    """The request's context; a new one on a server without the lane."""
    scope: Scope = getattr(request, "scope", None) or {}
    context: PollContext = scope.get(SCOPE_KEY) or PollContext()
    return context


def is_poll(scope: Scope) -> bool:
    return bool(scope["path"] == POLL_PATH and scope["method"] == "POST")


async def read_body(receive: Receive) -> list[Message] | None:
    """The request's messages, or None when the client hung up. What is too long is left to the view to refuse."""
    messages: list[Message] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        messages.append(message)
        size += len(message.get("body", b""))
        if not message.get("more_body") or size > BODY_LIMIT:
            return messages


def replay_body(messages: list[Message], receive: Receive) -> Receive:
    """A `receive` that gives the messages read before, then what comes."""
    replayed = iter(messages)

    async def replaying() -> Message:
        message = next(replayed, None)
        return message if message is not None else await receive()

    return replaying
