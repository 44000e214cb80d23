"""What can go wrong on the way aboard.

DomainError
├── NotFound
│   ├── UnknownCode            a device polled with a code that is none
│   ├── CodeNotUsable          a person entered one that is unknown, used or expired: which of them is not said
│   └── SerialNotWaiting       no device with this serial number waits
├── Gone
│   ├── CodeExpired
│   ├── AlreadyProvisioned
│   └── EnrolmentClosed        declined or expired; says when a new one may start
├── Forbidden
│   ├── WrongPoller
│   └── TokenUsedUp            as many devices came aboard with the token as it lets in
├── InvalidRequest
│   └── DeviceIdNotAllowed     the token's policy lets somebody else choose the device id, or nobody
├── SerialNotListed            the product lets in only serial numbers on its list
├── InvalidTransition
│   ├── ContestedSerial        several devices poll with one serial number: the code is needed
│   ├── MatchNumberNeeded      the device now shows two digits: they are needed along with the code
│   └── MatchNumberWrong       and these were others: the enrolment is closed
└── TooManyRequests
    ├── SerialNumberNeeded     many codes are being guessed: name the serial number along with the code, or wait
    ├── TooManyCodes
    ├── TooManyOperations      so many devices wait with one token that no more may begin
    └── TooManyWindows         the tenant let in so many devices that have not come that no more may be
"""

from devices.errors import DomainError, Forbidden, InvalidRequest, InvalidTransition, NotFound, TooManyRequests


class UnknownCode(NotFound):
    code, title = "unknown-code", "There is no such provisioning code"


class CodeNotUsable(NotFound):
    code, title = "code-not-usable", "This code cannot be used"


class SerialNotWaiting(NotFound):
    code, title = "serial-not-waiting", "No device with this serial number is waiting"


class Gone(DomainError):
    code, title, status = "gone", "Gone", 410


class CodeExpired(Gone):
    code, title = "code-expired", "The provisioning code has expired"


class AlreadyProvisioned(Gone):
    code, title = "already-provisioned", "Already provisioned"


class EnrolmentClosed(Gone):
    code, title = "enrolment-closed", "The enrolment was closed"


class WrongPoller(Forbidden):
    code, title = "wrong-poller", "The enrolment belongs to another poller"


class ContestedSerial(InvalidTransition):
    code, title = "contested-serial", "Several devices claim this serial number"


class MatchNumberNeeded(InvalidTransition):
    code, title = "match-number-needed", "Enter the two digits the device shows now"


class MatchNumberWrong(InvalidTransition):
    code, title = "match-number-wrong", "These are not the two digits the device shows"


class TooManyCodes(TooManyRequests):
    code, title = "too-many-codes", "Too many codes were asked for"


class TokenUsedUp(Forbidden):
    code, title = "token-used-up", "The provisioning token has let in as many devices as it may"


class DeviceIdNotAllowed(InvalidRequest):
    code, title = "device-id-not-allowed", "The device id may not be chosen like this"


class SerialNotListed(DomainError):
    code, title, status = "serial-not-listed", "The serial number is not on the product's list", 409


class TooManyOperations(TooManyRequests):
    code, title = "too-many-operations", "Too many devices wait with this provisioning token"


class TooManyWindows(TooManyRequests):
    code, title = "too-many-windows", "Too many devices that were let in have not come yet"


class SerialNumberNeeded(TooManyRequests):
    code, title = "serial-number-needed", "Enter the device's serial number along with the code, or wait"
