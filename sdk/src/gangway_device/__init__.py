"""Gangway's device side: get a device provisioned and keep it in step with its twin.

    credentials = provision(Store("device.json"), portal="https://portal.example", serial_number="A1", on_code=show)

    async with Device(Store("device.json")) as device:
        device.on_desired(apply)
        await device.report({"firmware": "1.4.2"})

The wire protocol is described in the portal's documentation, in `device-protocol.md`.
"""

from __future__ import annotations

from gangway_device.backoff import Pace
from gangway_device.blocking import BlockingDevice
from gangway_device.device import Device, Twin
from gangway_device.errors import (
    AlreadyProvisioned,
    ConfigurationError,
    CredentialsRefused,
    DeviceClosed,
    EnrolmentClosed,
    FrameError,
    FrameRefused,
    GangwayError,
    HandOverUnreadable,
    NotProvisioned,
    ProtocolError,
    Refused,
    ReplacedByAnotherConnection,
    Stopped,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreExposed,
    StoreMismatch,
    WrongPoller,
)
from gangway_device.handover import HandOverKind
from gangway_device.merge import apply_patch, make_patch
from gangway_device.network import Network
from gangway_device.portal import ProvisioningCode
from gangway_device.provisioning import Provisioner, provision
from gangway_device.store import Credentials, Pending, Store
from gangway_device.twin import Desired

__version__ = "0.1.0"

__all__ = [
    "AlreadyProvisioned",
    "BlockingDevice",
    "ConfigurationError",
    "Credentials",
    "CredentialsRefused",
    "Desired",
    "Device",
    "DeviceClosed",
    "EnrolmentClosed",
    "FrameError",
    "FrameRefused",
    "GangwayError",
    "HandOverKind",
    "HandOverUnreadable",
    "Network",
    "NotProvisioned",
    "Pace",
    "Pending",
    "ProtocolError",
    "Provisioner",
    "ProvisioningCode",
    "Refused",
    "ReplacedByAnotherConnection",
    "Stopped",
    "Store",
    "StoreBusy",
    "StoreDamaged",
    "StoreError",
    "StoreExposed",
    "StoreMismatch",
    "Twin",
    "WrongPoller",
    "apply_patch",
    "make_patch",
    "provision",
]
