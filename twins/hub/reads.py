"""What the hub reads to find out what its devices lack."""

from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef

from devices.models import Credential, Device, DeviceState
from portal.lib.clock import now
from twins.models import Section, Twin, TwinChange, TwinKind
from twins.services.twins import get_twin


def desired_since(*, device_id: int, generation: int, version: int) -> tuple[Twin, list[dict[str, Any]] | None]:
    """The twin, and the patches that lead to its desired section from the version given; None when only the whole
    document will do (another generation, or a history that was cut)."""
    with transaction.atomic():
        twin = get_twin(device_id=device_id)
        if twin.generation != generation or version > twin.desired_version:
            return twin, None
        changes = TwinChange.objects.filter(
            twin=twin, section=Section.DESIRED, version__gt=version, version__lte=twin.desired_version
        )
        patches = list(changes.order_by("version").values_list("patch", flat=True))
    return twin, patches if len(patches) == twin.desired_version - version else None


def desired_versions(*, device_ids: list[int]) -> dict[int, int]:
    """The present desired version of each device: what the periodic compare is made with."""
    twins = Twin.objects.filter(device_id__in=device_ids, kind=TwinKind.DEVICE)
    return dict(twins.values_list("device_id", "desired_version"))


def ended_sessions(*, epochs: dict[int, int]) -> dict[int, bool]:
    """Of the sessions of these epochs, {device: epoch}, the devices whose session was ended elsewhere, and whether the
    device may still connect: with that it was another connection that ended it."""
    may_connect = Exists(Credential.objects.usable(now()).filter(device=OuterRef("pk")))
    devices = Device.objects.filter(pk__in=epochs).annotate(may_connect=may_connect)
    rows = devices.values_list("pk", "session_epoch", "state", "may_connect")
    return {pk: state == DeviceState.ACTIVE and usable for pk, epoch, state, usable in rows if epoch != epochs[pk]}
