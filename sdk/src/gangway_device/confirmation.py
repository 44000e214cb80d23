"""Telling the portal that the credentials are kept, so that it can destroy what it holds ready for this device."""

from __future__ import annotations

import asyncio
import dataclasses
import logging

from gangway_device.backoff import Backoff, Pace
from gangway_device.errors import StoreError
from gangway_device.portal import Portal, TryLater
from gangway_device.store import Credentials, Store

log = logging.getLogger(__name__)

TRIES = 5
PATIENCE = 30.0
"""Seconds for all tries together. The device has its credentials: it should not wait long before it connects."""


async def confirm(portal: Portal, credentials: Credentials, pace: Pace) -> None:
    """Say it, a few times if need be; it may be said often. Raises Refused, TryLater."""
    backoff = Backoff(pace.base, pace.cap)
    try:
        async with asyncio.timeout(PATIENCE):
            for _ in range(TRIES - 1):
                try:
                    return await portal.confirm(credentials.device_id, credentials.device_secret)
                except TryLater as later:
                    if later.after is not None and later.after > PATIENCE:
                        raise
                    await asyncio.sleep(backoff.next() if later.after is None else later.after)
            return await portal.confirm(credentials.device_id, credentials.device_secret)
    except TimeoutError:
        raise TryLater(f"the portal took no confirmation within {PATIENCE:.0f} s") from None


def remember_confirmed(store: Store, credentials: Credentials) -> Credentials:
    """Keep that the portal knows. A store that cannot be written costs one more confirmation, and nothing else."""
    confirmed = dataclasses.replace(credentials, confirm_at=None)
    try:
        store.save(confirmed)
    except StoreError as error:
        log.warning("%s; the credentials are kept, and confirmed again at the next start", error)
        return credentials
    return confirmed
