"""The base of the house: who owns devices, which devices there are, what they authenticate with, where they are
connected.
"""

from devices.models.credentials import Credential, CredentialKind
from devices.models.history import HistoryEntry, Subject
from devices.models.inventory import ACTIVATION_WINDOW, Admission, Device, DeviceState, Product
from devices.models.people import ApiToken, User
from devices.models.serial_lists import ListedSerial, SerialState
from devices.models.sessions import CloseReason, HubProcess, Session
from devices.models.tenancy import Membership, Region, Role, Tenant

__all__ = [
    "ACTIVATION_WINDOW",
    "Admission",
    "ApiToken",
    "CloseReason",
    "Credential",
    "CredentialKind",
    "Device",
    "DeviceState",
    "HistoryEntry",
    "HubProcess",
    "ListedSerial",
    "Membership",
    "Product",
    "Region",
    "Role",
    "SerialState",
    "Session",
    "Subject",
    "Tenant",
    "User",
]
