"""Codes and serial numbers that people enter, on pages and through the API: counted together, by the guess budget."""

from collections.abc import Iterator
from contextlib import contextmanager

from devices.errors import DomainError
from provisioning.budget import EntryKind
from provisioning.codes import normalise_code
from provisioning.errors import CodeNotUsable, MatchNumberWrong, SerialNotWaiting
from provisioning.services.guesses import Admission, check_entry, note_right, note_wrong, take_back


@contextmanager
def counted_entry(
    *, user_id: int, tenant_id: int | None = None, entry: str, serial_number: str = "", is_serial: bool = False
) -> Iterator[Admission]:
    """Look at what a person entered within: it is counted as it turns out.

    `serial_number` is what was entered along with a code; `is_serial` says that the entry cannot be meant as a code.
    Raises TooManyRequests or SerialNumberNeeded before that, whether the entry is right or not.
    """
    kind = _kind(entry, serial_number, is_serial)
    admission = check_entry(user_id=user_id, tenant_id=tenant_id, kind=kind)
    try:
        yield admission
    except (CodeNotUsable, SerialNotWaiting, MatchNumberWrong):
        note_wrong(admission)
        raise
    except DomainError:
        # The entry was right, but something else was not: a match number is missing, a name is too long.
        take_back(admission)
        raise
    note_right(admission)


def _kind(entry: str, serial_number: str, is_serial: bool) -> EntryKind:
    if is_serial or normalise_code(entry) is None:
        return EntryKind.SERIAL
    return EntryKind.NAMED_CODE if serial_number else EntryKind.CODE
