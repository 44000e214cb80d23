"""What can be wrong with a change of a twin, or with a frame.

DomainError
├── InvalidRequest
│   ├── InvalidPatch          with a JSON pointer to the offending member
│   └── InvalidFrame          a frame that can be read but is not one of the protocol's
├── PayloadTooLarge
│   └── TwinTooLarge
└── SessionReplaced (devices) a write from a connection that was replaced
"""

from devices.errors import InvalidRequest, MalformedRequest, PayloadTooLarge


class InvalidPatch(InvalidRequest):
    code, title, status = "invalid-patch", "The patch is not valid", 422


class TwinTooLarge(PayloadTooLarge):
    code, title = "twin-too-large", "The twin would be too large"
    ws_code = None


class InvalidFrame(InvalidRequest):
    code, title = "invalid-frame", "The frame is not valid"


class MalformedFrame(MalformedRequest):
    code, title = "malformed-frame", "The frame could not be read"
