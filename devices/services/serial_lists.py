"""Lists of serial numbers: read from CSV, looked at before anything is written, imported, exported."""

import csv
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from django.db import transaction

from devices.actors import Actor
from devices.errors import InvalidRequest, PayloadTooLarge
from devices.models import ListedSerial, Product
from devices.serials import check_serial_number, serial_key
from portal.lib.clock import now
from portal.lib.logs import log_event

logger = logging.getLogger(__name__)

LINE_LIMIT = 100_000
# Of invalid lines so many are told; they are counted all.
TOLD = 100
_BATCH = 1000
_HEADERS = {"serial", "serialnumber", "sn"}


@dataclass(frozen=True, slots=True)
class InvalidLine:
    """A line that holds no serial number. Lines are counted from 1, as editors do."""

    line: int
    reason: str


@dataclass(slots=True)
class SerialImport:
    """What a file comes to. All three are counts of lines; `invalid_lines` has the first of the invalid ones."""

    new: int = 0
    known: int = 0
    invalid: int = 0
    invalid_lines: list[InvalidLine] = field(default_factory=list)
    # Serial numbers by their keys; what is imported.
    serials: dict[str, str] = field(default_factory=dict, repr=False)


def preview_import(*, product: Product, lines: Iterable[str]) -> SerialImport:
    """What an import would do. Nothing is written.

    `lines` are those of a CSV file: the serial number in the first column, a header if there is one, everything else
    is ignored. Raises PayloadTooLarge over 100,000 lines, InvalidRequest when it is no CSV.
    """
    outcome = SerialImport()
    seen: dict[str, int] = {}
    for line, text in _cells(lines):
        if problem := _problem(text, seen):
            _note_invalid(outcome, line, problem)
            continue
        key = serial_key(text)
        seen[key] = line
        outcome.serials[key] = text.strip()
    outcome.known = sum(1 for _ in _known(product, list(outcome.serials)))
    outcome.new = len(outcome.serials) - outcome.known
    return outcome


def import_serials(*, product: Product, lines: Iterable[str], skip_invalid: bool = False, actor: Actor) -> SerialImport:
    """Put serial numbers on a product's list, all or none. Those on it stay as they are.

    Raises InvalidRequest when a line is invalid and `skip_invalid` is not set, and as `preview_import`.
    """
    outcome = preview_import(product=product, lines=lines)
    if outcome.invalid and not skip_invalid:
        first = outcome.invalid_lines[0]
        errors = [{"field": f"line {found.line}", "detail": found.reason} for found in outcome.invalid_lines]
        raise InvalidRequest(f"{outcome.invalid} lines are invalid; line {first.line}: {first.reason}", errors=errors)
    moment = now()
    with transaction.atomic():
        ListedSerial.objects.bulk_create(
            [
                ListedSerial(product=product, serial_number=serial, serial_key=key, created_at=moment)
                for key, serial in outcome.serials.items()
            ],
            batch_size=_BATCH,
            # Somebody may import the same list at the same moment.
            ignore_conflicts=True,
        )
    log_event(logger, "serials-imported", product=product.code, new=outcome.new, known=outcome.known, by=actor.user_id)
    return outcome


def remove_serials(*, product: Product, serial_numbers: Iterable[str], actor: Actor) -> int:
    """Take serial numbers off a product's list. Devices that were let in with them stay. Returns how many."""
    keys = iter({serial_key(serial) for serial in serial_numbers})
    removed = 0
    with transaction.atomic():
        while batch := list(islice(keys, _BATCH)):
            removed += ListedSerial.objects.filter(product=product, serial_key__in=batch).delete()[0]
    log_event(logger, "serials-removed", product=product.code, count=removed, by=actor.user_id)
    return removed


def export_serials(*, product: Product) -> Iterator[str]:
    """The product's list as CSV, with what became of each, a thousand lines at a time; read as it is sent."""
    yield "serial_number,state\r\n"
    last = 0
    while True:
        rows = ListedSerial.objects.filter(product=product, pk__gt=last).with_state().order_by("pk")
        page = list(rows[:_BATCH])
        if not page:
            return
        yield "".join(f"{_cell(row.serial_number)},{row.state}\r\n" for row in page)
        last = page[-1].pk


def _cells(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Line number and first cell of each line that is not empty."""
    reader = csv.reader(lines)
    try:
        for index, row in enumerate(reader):
            if reader.line_num > LINE_LIMIT:
                raise PayloadTooLarge(f"A list has at most {LINE_LIMIT} lines.")
            is_header = index == 0 and row and serial_key(row[0]).replace("_", "").lower() in _HEADERS
            if not is_header and any(cell.strip() for cell in row):
                yield reader.line_num, row[0]
    except csv.Error:
        raise InvalidRequest(f"Line {reader.line_num + 1} is no CSV.") from None


def _problem(text: str, seen: dict[str, int]) -> str:
    """Why the text is no serial number that could be imported; "" when it is."""
    try:
        check_serial_number(text)
    except InvalidRequest as error:
        return error.detail
    line = seen.get(serial_key(text))
    return f"The same as in line {line}." if line else ""


def _note_invalid(outcome: SerialImport, line: int, reason: str) -> None:
    outcome.invalid += 1
    if len(outcome.invalid_lines) < TOLD:
        outcome.invalid_lines.append(InvalidLine(line, reason))


def _known(product: Product, keys: list[str]) -> Iterator[str]:
    for start in range(0, len(keys), _BATCH):
        batch = keys[start : start + _BATCH]
        yield from ListedSerial.objects.filter(product=product, serial_key__in=batch).values_list(
            "serial_key", flat=True
        )


def _cell(text: str) -> str:
    """A cell of CSV (RFC 4180)."""
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if any(mark in text for mark in ',"') else text
