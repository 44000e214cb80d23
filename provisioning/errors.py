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
│   └── WrongPoller
├── InvalidTransition
│   ├── ContestedSerial        several devices poll with one serial number: the code is needed
│   ├── MatchNumberNeeded      the device now shows two digits: they are needed along with the code
│   └── MatchNumberWrong       and these were others: the enrolment is closed
└── TooManyRequests
    └── TooManyCodes
"""

from devices.errors import DomainError, Forbidden, InvalidTransition, NotFound, TooManyRequests


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
