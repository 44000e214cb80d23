"""What a product's list of serial numbers decides: who may be let in, and who comes in without a person."""

import contextlib
import uuid

from django.db import transaction
from django.db.models import Q

from devices.actors import Actor
from devices.errors import InvalidTransition, SerialInUse
from devices.models import Admission, ListedSerial, Product
from devices.serials import serial_key
from portal.lib.clock import now
from provisioning.errors import SerialNotListed
from provisioning.models import Enrolment
from provisioning.services.unlocking import let_in
from provisioning.states import EnrolmentState


def require_listed(*, product: Product | None, serial_number: str) -> None:
    """Raise SerialNotListed when the product lets in only listed serial numbers, and this is none."""
    if product is None or product.admission != Admission.LISTED:
        return
    if not ListedSerial.objects.filter(product=product, serial_key=serial_key(serial_number)).exists():
        raise SerialNotListed(f"{product.name} lets in only serial numbers on its list.")


def admit_listed(*, enrolment: Enrolment) -> Enrolment:
    """Let in, by rule, a device that has just begun, names a product, and is on that product's list.

    Only for products that say so (Product.admits_by_serial_alone): nothing of this is proven, and the first poller
    with the serial number is believed. Once per entry of a list; not when two tenants list it, nor when another
    poller waits with the same serial number: then a person decides, as without the rule.
    """
    listing = _listing(enrolment)
    if listing is None or Enrolment.objects.rivals(enrolment, now()).exists():
        return enrolment
    with contextlib.suppress(InvalidTransition, SerialInUse), transaction.atomic():
        if not ListedSerial.objects.filter(pk=listing.pk, admitted_at=None).update(admitted_at=now()):
            raise InvalidTransition("The entry has let a device in.")
        product = listing.product
        let_in(
            enrolment=enrolment,
            tenant=product.tenant,
            product=product,
            actor=Actor.system(),
            reason="its serial number is listed, and its product asks for no more",
        )
    return Enrolment.objects.get(pk=enrolment.pk)


def _listing(enrolment: Enrolment) -> ListedSerial | None:
    if not enrolment.stated_product or enrolment.state != EnrolmentState.WAITING:
        return None
    named = Q(product__code=enrolment.stated_product)
    with contextlib.suppress(ValueError):
        named |= Q(product__public_id=uuid.UUID(enrolment.stated_product))
    listings = ListedSerial.objects.filter(
        named, serial_key=enrolment.serial_key, admitted_at=None, product__admits_by_serial_alone=True
    )
    found = list(listings.select_related("product__tenant")[:2])
    return found[0] if len(found) == 1 else None
