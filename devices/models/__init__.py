"""The base of the house: who owns devices, which devices there are, what they authenticate with, where they are
connected.
"""

from devices.models.credentials import Credential, CredentialKind
from devices.models.history import HistoryEntry, Subject
from devices.models.inventory import Device, DeviceState, Product
from devices.models.people import ApiToken, User
from devices.models.sessions import CloseReason, HubProcess, Session
from devices.models.tenancy import Membership, Region, Role, Tenant

__all__ = [
    "ApiToken",
    "CloseReason",
    "Credential",
    "CredentialKind",
    "Device",
    "DeviceState",
    "HistoryEntry",
    "HubProcess",
    "Membership",
    "Product",
    "Region",
    "Role",
    "Session",
    "Subject",
    "Tenant",
    "User",
]
