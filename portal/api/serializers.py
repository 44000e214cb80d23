"""Shapes of the management API."""

from typing import Any

from rest_framework import serializers

from devices.models import Device
from devices.presence import Presence, presence_of
from devices.serials import MAXIMUM_LENGTH
from portal.lib.clock import now, rfc3339


class ClaimRequestSerializer(serializers.Serializer[Any]):
    provisioningCode = serializers.CharField(required=False, max_length=32)
    serialNumber = serializers.CharField(
        required=False,
        max_length=MAXIMUM_LENGTH,
        help_text="Alone, or along with the code where the answer was serial-number-needed.",
    )
    matchNumber = serializers.CharField(
        required=False, default="", max_length=8, help_text="Two digits, where the answer was match-number-needed."
    )
    tenant = serializers.UUIDField(required=False, help_text="Needed only by members of several tenants.")
    name = serializers.CharField(required=False, default="", max_length=100, allow_blank=True)
    product = serializers.CharField(
        required=False, max_length=64, help_text="The code of one of the tenant's products."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not {"provisioningCode", "serialNumber"} & set(attrs):
            raise serializers.ValidationError({"provisioningCode": "Give the provisioning code or the serial number."})
        return attrs


class PresenceSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=["online", "unsure", "offline"])
    since = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField()
    lastFrameAt = serializers.DateTimeField(allow_null=True)
    deadline = serializers.DateTimeField(allow_null=True, help_text="When an unsure device will count as offline.")


class DeviceSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    serialNumber = serializers.CharField()
    externalId = serializers.CharField(allow_null=True, help_text="The id that was chosen for it, where one was.")
    tenantId = serializers.UUIDField()
    product = serializers.CharField(allow_null=True)
    dataResidency = serializers.CharField()
    state = serializers.CharField()
    attributes = serializers.DictField()
    presence = PresenceSerializer()
    createdAt = serializers.DateTimeField()
    lastSeenAt = serializers.DateTimeField(allow_null=True)


class LetInSerializer(DeviceSerializer):
    """A device that was let in just now."""

    activateBy = serializers.DateTimeField(
        allow_null=True, help_text="Until when the first poll with its serial number takes it; null once one has."
    )


class DevicePageSerializer(serializers.Serializer[Any]):
    devices = DeviceSerializer(many=True)
    next = serializers.CharField(
        allow_null=True, help_text="Give it as `after` for the next page; null on the last one."
    )


class RenameSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100)


class SectionSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    document = serializers.DictField()
    metadata = serializers.DictField(help_text="JSON pointer of each leaf: when it changed last.")


class TwinSerializer(serializers.Serializer[Any]):
    deviceId = serializers.UUIDField()
    generation = serializers.IntegerField()
    tags = SectionSerializer()
    desired = SectionSerializer()
    reported = SectionSerializer()
    acknowledged = serializers.DictField(
        help_text="The desired version the device spoke of last, its outcome and reason."
    )


def device_document(device: Device) -> dict[str, Any]:
    """A device that was fetched with tenant, product and open session."""
    return {
        "id": str(device.public_id),
        "name": device.name,
        "serialNumber": device.serial_number,
        "externalId": device.external_id or None,
        "tenantId": str(device.tenant.public_id),
        "product": device.product.code if device.product else None,
        "dataResidency": device.tenant.region.code,
        "state": device.state,
        "attributes": device.attributes,
        "presence": _presence_document(presence_of(device, now())),
        "createdAt": rfc3339(device.created_at),
        "lastSeenAt": rfc3339(device.last_seen_at) if device.last_seen_at else None,
    }


def _presence_document(presence: Presence) -> dict[str, Any]:
    return {
        "state": presence.state.value,
        "since": rfc3339(presence.since) if presence.since else None,
        "reason": presence.reason,
        "lastFrameAt": rfc3339(presence.last_frame_at) if presence.last_frame_at else None,
        "deadline": rfc3339(presence.deadline) if presence.deadline else None,
    }
