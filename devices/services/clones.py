"""Signs that a credential was copied: two networks that take a device's connection from each other by turns.

One change of network is a device that moved. That the first network takes the connection back while the second still
holds it is not what one device does.
"""

import logging
from datetime import timedelta

from devices.hints import hint_device_changed
from devices.models import CloseReason, Credential, Device, Session
from portal.lib.clock import now
from portal.lib.logs import log_event

logger = logging.getLogger(__name__)

WINDOW = timedelta(minutes=10)


def note_clone_suspicion(*, device: Device, credential_id: int, network: str | None) -> bool:
    """Called when a connection was accepted from `network`, in its transaction. Returns whether suspicion arose."""
    moment = now()
    replaced = Session.objects.filter(
        device=device, credential_id=credential_id, close_reason=CloseReason.REPLACED, closed_at__gt=moment - WINDOW
    )
    networks = list(replaced.order_by("-epoch").values_list("network", flat=True)[:2])
    if len(networks) < 2 or network is None or networks[0] == network or networks[1] != network:
        return False
    noted = Credential.objects.filter(pk=credential_id, clone_suspected_at=None).update(clone_suspected_at=moment)
    if noted:
        hint_device_changed(device.tenant.public_id, device.public_id, "device")
        log_event(
            logger,
            "clone-suspected",
            level=logging.WARNING,
            device=device.public_id,
            networks=f"{network},{networks[0]}",
        )
    return bool(noted)
