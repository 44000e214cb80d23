"""Many devices that wait with a live code, made at once."""

from datetime import timedelta

from portal.lib.clock import now
from provisioning.models import Enrolment, ProvisioningCode
from provisioning.services import guesses
from provisioning.services.codes import code_digest
from tests.base import unique


def make_crowd(number, *, lifetime=timedelta(minutes=5)):
    """So many waiting devices, each with a code; gives the serial numbers by code."""
    moment, prefix = now(), unique("CROWD")
    enrolments = Enrolment.objects.bulk_create(
        Enrolment(
            serial_number=f"{prefix}-{n}", serial_key=f"{prefix}-{n}".upper(), created_at=moment, last_polled_at=moment
        )
        for n in range(number)
    )
    codes = [_code(n) for n in range(number)]
    ProvisioningCode.objects.bulk_create(
        ProvisioningCode(enrolment=enrolment, digest=code_digest(code), issued_at=moment, expires_at=moment + lifetime)
        for enrolment, code in zip(enrolments, codes, strict=True)
    )
    guesses._live_codes.forget()
    return dict(zip(codes, [enrolment.serial_number for enrolment in enrolments], strict=True))


def _code(number):
    symbols = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
    text = ""
    for _ in range(5):
        number, rest = divmod(number, len(symbols))
        text = symbols[rest] + text
    return f"Z{text}"
