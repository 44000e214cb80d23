"""The enrolment's states and the moves between them: the one table. docs/states.md is drawn from it."""

from django.db import models


class EnrolmentState(models.TextChoices):
    WAITING = "waiting", "waiting for a person"
    UNLOCKED = "unlocked", "let in, credentials not collected yet"
    DELIVERED = "delivered", "credentials collected"
    CONFIRMED = "confirmed", "came aboard"
    DECLINED = "declined", "declined"
    EXPIRED = "expired", "expired"
    SUPERSEDED = "superseded", "superseded"


class CodeState(models.TextChoices):
    ISSUED = "issued"
    REDEEMED = "redeemed"
    EXPIRED = "expired"
    REVOKED = "revoked"


_S = EnrolmentState

# from → to: what makes the move.
ENROLMENT_MOVES: dict[tuple[EnrolmentState, EnrolmentState], str] = {
    (_S.WAITING, _S.UNLOCKED): "a person or a rule lets the device in",
    (_S.WAITING, _S.DECLINED): "a person says: not mine",
    (_S.WAITING, _S.EXPIRED): (
        "the device has not polled for the enrolment's lifetime, "
        "or nobody decided on its operation in time, or the operation's token was revoked"
    ),
    (_S.WAITING, _S.SUPERSEDED): (
        "another device with the same serial number was let in, or a newer attempt of the same device took its place"
    ),
    (_S.UNLOCKED, _S.DELIVERED): "the device polls and is handed its credentials, once",
    (_S.UNLOCKED, _S.EXPIRED): "the device did not collect its credentials in time, or none came within the window",
    (_S.UNLOCKED, _S.SUPERSEDED): (
        "the device was deleted before it collected its credentials, or was enabled anew, "
        "or a newer attempt of it took its place"
    ),
    (_S.DELIVERED, _S.CONFIRMED): "the device used its credentials",
    (_S.DELIVERED, _S.SUPERSEDED): "the device was deleted, or enabled anew, or let in again",
    (_S.CONFIRMED, _S.SUPERSEDED): "the device was deleted, or enabled anew, or let in again",
}

OPEN_STATES = (_S.WAITING, _S.UNLOCKED)
# In these the serial number is taken: it cannot start another enrolment.
LIVE_STATES = (_S.WAITING, _S.UNLOCKED, _S.DELIVERED, _S.CONFIRMED)
HANDED_OVER_STATES = (_S.DELIVERED, _S.CONFIRMED)
WITH_DEVICE_STATES = (_S.UNLOCKED, _S.DELIVERED, _S.CONFIRMED)

CODE_MOVES: dict[tuple[CodeState, CodeState], str] = {
    (CodeState.ISSUED, CodeState.REDEEMED): "a person let the device in with it",
    (
        CodeState.ISSUED,
        CodeState.EXPIRED,
    ): "its lifetime is over (noted by the sweep; validity is a comparison with the clock)",
    (CodeState.ISSUED, CodeState.REVOKED): "the device asked for another one, or its enrolment ended",
}


def sources(target: EnrolmentState) -> list[EnrolmentState]:
    """The states from which a move to `target` exists."""
    return [source for source, end in ENROLMENT_MOVES if end == target]
