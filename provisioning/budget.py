"""The guess budget: how likely it is that guessing hits a live code, and what an entry needs so that it stays unlikely.

Fixed limits are wrong when ten codes are live and wrong when ten thousand are. So every wrong entry is booked with
the chance it had of hitting anything: live codes / 31^6, a hundredth of that where the device's match number is asked
for as well, and a single code's share where the entry names the serial number the code must belong to. What was booked
within a day is compared with the hit chance that is wished:

    open      a code is enough
    step-up   the device's match number is needed along with it
    slow      whom nobody knows yet must name the serial number along with the code, or wait ever longer
    paused    so must everybody: a code alone opens nothing

Naming the serial number is always possible, and it is so strong (1 / 31^6 / 100) that it needs no limit but each
person's own: whoever is honest reads it off the device and gets through, however many others guess. Only whoever is
wrong again and again waits, at most an hour.

Chances are integers in units of 10^-15: what is booked and taken back leaves nothing behind. Pure arithmetic, no
database and no clock: provisioning.services.guesses keeps the books.
"""

import math
from enum import IntEnum, StrEnum
from typing import NamedTuple

from provisioning.codes import ALPHABET, LENGTH

UNIT = 10**15
SPACE = len(ALPHABET) ** LENGTH
MATCH_NUMBERS = 100

# What is wished for a day is divided: entries of a code alone by people; codes polled by devices. The rest remains for
# entries that name the serial number.
PEOPLE_SHARE, DEVICE_SHARE = 0.7, 0.2
# Of the people's part, how much one user and one tenant may use up before they are asked for more than others.
USER_SHARE, TENANT_SHARE = 0.1, 0.5
STEP_UP_AT, SLOW_AT = 0.5, 0.75

# Wrong entries a day that cost a person no time; one more for each ten right ones, as slips are a share of the work.
FREE_WRONG, RIGHT_FOR_ONE, FREE_MOST = 10, 10, 35
FREE_SERIALS = 20
LONGEST_WAIT = 3600  # seconds
_FIRST_SLOW_WAIT = 60


class Stage(IntEnum):
    """What the next entry of a code alone would need."""

    OPEN = 0
    STEP_UP = 1
    SLOW = 2
    PAUSED = 3

    @property
    def label(self) -> str:
        return self.name.lower().replace("_", "-")


class EntryKind(StrEnum):
    CODE = "code"
    NAMED_CODE = "code with its serial number"
    SERIAL = "serial number"


class Record(NamedTuple):
    """What the books say of the last day about those whom an entry concerns: booked chances, and the person's counts.

    `idle` is the number of seconds since the person's last entry that was looked at, None when there was none.
    """

    user: int = 0
    tenant: int = 0
    portal: int = 0
    wrong: int = 0
    wrong_serials: int = 0
    right: int = 0
    idle: float | None = None
    is_known: bool = False


class Refusal(StrEnum):
    OWN_COUNT = "too many wrong entries of this person"
    SERIAL_NEEDED = "a code alone is not enough at the moment"


class Verdict(NamedTuple):
    """Admitted, with the chance to book and whether the match number is needed; or refused, with seconds to wait."""

    stage: Stage
    chance: int = 0
    needs_match_number: bool = False
    refusal: Refusal | None = None
    retry_after: int = 0


def hit_chance(live: int, *, named: bool = False, matched: bool = False, space: int = SPACE) -> int:
    """The chance, in units, that one random code hits. Rounded up: the books may exaggerate, never the other way."""
    targets = min(live, 1) if named else live
    return min(UNIT, -(-targets * UNIT // (space * (MATCH_NUMBERS if matched else 1))))


def units(chance: float) -> int:
    """A probability in units."""
    return round(chance * UNIT)


def allowed_wrong(live: int, wished: float, *, matched: bool = False, space: int = SPACE) -> int:
    """How many wrong tries a day stay within the wished chance; never more than there are codes."""
    chance = hit_chance(live, matched=matched, space=space)
    return space if not chance else min(space, units(wished) // chance)


def stage_of(booked: int, alone: int, matched: int, allowance: float) -> Stage:
    """The stage of one book: which chance still fits in, that of a code alone or that with a match number."""
    if booked + alone <= allowance * STEP_UP_AT:
        return Stage.OPEN
    if booked + matched <= allowance * SLOW_AT:
        return Stage.STEP_UP
    return Stage.SLOW if booked + matched <= allowance else Stage.PAUSED


def stage_for(record: Record, live: int, wished: float, *, named: bool = False, space: int = SPACE) -> Stage:
    """The strictest of the three books. A user or tenant without any wrong entry is not held to its own share."""
    alone = hit_chance(live, named=named, space=space)
    return _strictest(record, alone, hit_chance(live, named=named, matched=True, space=space), wished)


def _strictest(record: Record, alone: int, matched: int, wished: float) -> Stage:
    people = units(wished) * PEOPLE_SHARE
    stage = stage_of(record.portal, alone, matched, people)
    for booked, share in ((record.user, USER_SHARE), (record.tenant, TENANT_SHARE)):
        if booked:
            stage = max(stage, stage_of(booked, alone, matched, people * share))
    return stage


def decide(record: Record, live: int, wished: float, kind: EntryKind, *, space: int = SPACE) -> Verdict:
    """What becomes of an entry, before anybody looks whether it is right."""
    named = kind == EntryKind.NAMED_CODE
    alone = hit_chance(live, named=named, space=space)
    matched = hit_chance(live, named=named, matched=True, space=space)
    stage = _strictest(record, alone, matched, wished)
    if wait := own_wait(record, kind):
        return Verdict(stage, refusal=Refusal.OWN_COUNT, retry_after=wait)
    if kind == EntryKind.SERIAL:
        return Verdict(stage)
    if stage == Stage.OPEN:
        return Verdict(stage, chance=alone)
    limit = Stage.SLOW if record.is_known else Stage.STEP_UP
    if not named and stage > limit:
        return Verdict(stage, refusal=Refusal.SERIAL_NEEDED, retry_after=_slow_wait(record, wished))
    return Verdict(stage, chance=matched, needs_match_number=True)


def own_wait(record: Record, kind: EntryKind) -> int:
    """Seconds that this person has to wait because of their own wrong entries: doubling with each, at most an hour.

    It is a pause, and no lock: after it one more entry is looked at.
    """
    over = record.wrong - free_wrong(record.right)
    if kind == EntryKind.SERIAL:
        over = record.wrong_serials - FREE_SERIALS
    if over < 0 or record.idle is None:
        return 0
    return max(0, math.ceil(wait_after(over) - record.idle))


def wait_after(over: int) -> int:
    """Seconds between two entries of a person who is so many wrong ones over what is free."""
    return min(LONGEST_WAIT, 2 << max(0, min(over, 20)))


def is_paused(record: Record) -> bool:
    """Whether a person has come to the longest wait, for codes or for serial numbers."""
    over = max(record.wrong - free_wrong(record.right), record.wrong_serials - FREE_SERIALS)
    return over >= 0 and wait_after(over) >= LONGEST_WAIT


def free_wrong(right: int) -> int:
    return FREE_WRONG + min(right // RIGHT_FOR_ONE, FREE_MOST)


def admits_device(booked: int, live: int, wished: float, *, space: int = SPACE) -> bool:
    """Whether one more unknown code may be polled by a device."""
    return booked + hit_chance(live, space=space) <= units(wished) * DEVICE_SHARE


def _slow_wait(record: Record, wished: float) -> int:
    """From a minute to an hour, the more of the budget is used up."""
    people = units(wished) * PEOPLE_SHARE
    used = max(record.portal, record.tenant / TENANT_SHARE, record.user / USER_SHARE) / people
    over = min(1.0, max(0.0, (used - SLOW_AT) / (1 - SLOW_AT)))
    return math.ceil(_FIRST_SLOW_WAIT * math.pow(LONGEST_WAIT / _FIRST_SLOW_WAIT, over))
