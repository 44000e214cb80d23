"""The one error vocabulary. docs/errors.md lists every code; a test keeps the two in step.

    DomainError
    ├── MalformedRequest          the bytes could not be read as what they claim to be
    ├── InvalidRequest            they could, but a member is missing or wrong (names the fields)
    ├── Unauthenticated           who are you?
    ├── Forbidden                 you may see it, but your role may not do that
    ├── NotFound                  no such thing, or none that you may see
    ├── MethodNotAllowed · UnsupportedMediaType · NotAcceptable
    ├── PayloadTooLarge
    ├── PreconditionFailed · PreconditionRequired
    ├── TooManyRequests           with the seconds to wait
    ├── Unavailable               with the seconds to wait
    ├── InvalidTransition         somebody else was first, or the thing is in no state for this
    ├── SerialInUse               the tenant has a device with this serial number
    ├── ProductCodeInUse          the tenant has a product with this code
    ├── DeviceIdInUse             the tenant has a device that was given this id
    └── SessionReplaced · HelloMissing

Apps derive their own: twins.errors, provisioning.errors. The same classes make HTTP problems (portal.problems),
socket frames and close codes (twins.protocol), and sentences on pages. `detail` must never hold a secret.
"""

from collections.abc import Mapping, Sequence


class DomainError(Exception):
    """Something the caller did or met that has a name. Class attributes are the vocabulary, instances add the
    occasion.
    """

    code = "error"
    title = "Error"
    status = 500
    # Close code on sockets where the error ends the connection; None where it is only a frame.
    ws_code: int | None = None

    def __init__(
        self,
        detail: str = "",
        *,
        retry_after: int | None = None,
        errors: Sequence[Mapping[str, str]] = (),
        **data: str | int,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.retry_after = retry_after
        self.errors = [dict(error) for error in errors]
        self.data = data


class MalformedRequest(DomainError):
    code, title, status, ws_code = "malformed-request", "The request could not be read", 400, 4400


class InvalidRequest(DomainError):
    code, title, status = "invalid-request", "The request is not valid", 400


class Unauthenticated(DomainError):
    code, title, status, ws_code = "unauthenticated", "Credentials are missing or not valid", 401, 4401


class Forbidden(DomainError):
    code, title, status = "forbidden", "Your role does not allow this", 403


class NotFound(DomainError):
    code, title, status = "not-found", "Not found", 404


class MethodNotAllowed(DomainError):
    code, title, status = "method-not-allowed", "Method not allowed", 405


class NotAcceptable(DomainError):
    code, title, status = "not-acceptable", "No representation you accept", 406


class InvalidTransition(DomainError):
    code, title, status = "invalid-transition", "Not possible in the present state", 409


class SerialInUse(DomainError):
    code, title, status = "serial-in-use", "The tenant already has a device with this serial number", 409


class DeviceIdInUse(DomainError):
    code, title, status = "device-id-in-use", "The tenant already has a device with this id", 409


class ProductCodeInUse(DomainError):
    code, title, status = "product-code-in-use", "The tenant already has a product with this code", 409


class PreconditionFailed(DomainError):
    code, title, status = "precondition-failed", "It was changed meanwhile", 412


class PayloadTooLarge(DomainError):
    code, title, status = "payload-too-large", "Too large", 413
    ws_code: int | None = 4413


class UnsupportedMediaType(DomainError):
    code, title, status = "unsupported-media-type", "Unsupported media type", 415


class PreconditionRequired(DomainError):
    code, title, status = "precondition-required", "Say which version you mean", 428


class TooManyRequests(DomainError):
    code, title, status, ws_code = "too-many-requests", "Too many requests", 429, 4429


class Unavailable(DomainError):
    code, title, status, ws_code = "unavailable", "Not available at the moment", 503, 4503


class SessionReplaced(DomainError):
    code, title, status, ws_code = "session-replaced", "Another connection of the device took over", 409, 4409


class HelloMissing(DomainError):
    code, title, status, ws_code = "hello-missing", "The first frame must be hello, within thirty seconds", 408, 4408
