"""The only module that sends to the channel layer.

A hint carries no state: it says that something changed, and whoever gets it reads the database. It leaves after the
commit, at most once; what is lost is healed by a periodic compare (hub), or by the page's slow poll (Console).
"""

import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

# Every process that holds waiting polls listens here.
ENROLMENTS_GROUP = "enrolments"


def channel_layer() -> Any:
    """The project's one channel layer (channels_redis brings no types)."""
    return get_channel_layer()


def tenant_group(tenant_id: uuid.UUID) -> str:
    """Console pages that show a tenant's devices listen here."""
    return f"tenant.{tenant_id}"


def hint_process(channel: str, message: dict[str, Any]) -> None:
    """Tell the hub process behind `channel`, once the transaction is committed. `message` has a `type`."""
    transaction.on_commit(lambda: _send(channel, message), robust=True)


def hint_device_changed(tenant_id: uuid.UUID, device_id: uuid.UUID, what: str) -> None:
    """Tell Console pages of the tenant. `what` is "presence", "twin" or "device"."""
    message = {"type": "device.changed", "device": str(device_id), "what": what}
    transaction.on_commit(lambda: _group_send(tenant_group(tenant_id), message), robust=True)


def hint_enrolment_changed(enrolment_id: uuid.UUID) -> None:
    """Tell held polls and Claim pages."""
    message = {"type": "enrolment.changed", "enrolment": str(enrolment_id)}
    transaction.on_commit(lambda: _group_send(ENROLMENTS_GROUP, message), robust=True)


def _send(channel: str, message: dict[str, Any]) -> None:
    _try_twice(channel_layer().send, channel, message)


def _group_send(group: str, message: dict[str, Any]) -> None:
    _try_twice(channel_layer().group_send, group, message)


def _try_twice(send: Callable[[str, dict[str, Any]], Awaitable[None]], target: str, message: dict[str, Any]) -> None:
    """After Redis was away, the first use of the layer's old connection fails. What is lost all the same is lost."""
    for is_last in (False, True):
        try:
            async_to_sync(send)(target, message)
        except (RedisError, OSError):
            if is_last:
                logger.warning("hint-lost", exc_info=True)
        else:
            return
