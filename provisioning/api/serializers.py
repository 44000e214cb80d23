"""Shapes of the device REST API."""

import re
from typing import Any

from rest_framework import serializers

from devices.errors import InvalidRequest
from devices.external_ids import check_external_id
from devices.serials import MAXIMUM_LENGTH, check_serial_number
from provisioning.pollers import Poller
from provisioning.sealing import read_public_key

_POLL_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,128}")
_ATTRIBUTES = 16
_NAME_LENGTH = 64
_TEXT_LENGTH = 256


class SerialNumberField(serializers.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAXIMUM_LENGTH, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        try:
            return check_serial_number(super().to_internal_value(data))
        except InvalidRequest as error:
            raise serializers.ValidationError(error.detail) from None


class PollTokenField(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not _POLL_TOKEN.fullmatch(text):
            raise serializers.ValidationError("A poll token has 32 to 128 characters of A-Z a-z 0-9 - _.")
        return text


class PublicKeyField(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            read_public_key(text)
        except ValueError as error:
            raise serializers.ValidationError(f"A public key is an X25519 key in base64url. {error}") from None
        return text


class PollerSerializer(serializers.Serializer[Any]):
    """What binds an enrolment to the device that began it."""

    pollToken = PollTokenField(required=False, default="", help_text="Random, made and kept by the device.")
    publicKey = PublicKeyField(
        required=False, default="", help_text="X25519, base64url. The credentials are sealed to it (HPKE, RFC 9180)."
    )

    def poller(self) -> Poller:
        return Poller(self.validated_data["pollToken"], self.validated_data["publicKey"])


class AttributesField(serializers.DictField):
    """What a device says about itself: small, flat, harmless."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        attributes: dict[str, Any] = super().to_internal_value(data)
        if len(attributes) > _ATTRIBUTES:
            raise serializers.ValidationError(f"There are at most {_ATTRIBUTES} attributes.")
        for name, value in attributes.items():
            if not 1 <= len(name) <= _NAME_LENGTH or not name.isprintable():
                raise serializers.ValidationError(f"An attribute's name has 1 to {_NAME_LENGTH} printable characters.")
            _check_attribute(value)
        return attributes


def _check_attribute(value: Any) -> None:
    if isinstance(value, str):
        if len(value) > _TEXT_LENGTH or not value.isprintable():
            raise serializers.ValidationError(f"An attribute has at most {_TEXT_LENGTH} printable characters.")
    elif isinstance(value, int | float):
        if abs(value) >= 2**53:
            raise serializers.ValidationError("A number lies within ±2^53.")
    else:
        raise serializers.ValidationError("An attribute is a string, a number or a boolean.")


class DeviceIdField(serializers.CharField):
    """An id that was chosen for a device."""

    def to_internal_value(self, data: Any) -> str:
        try:
            return check_external_id(super().to_internal_value(data))
        except InvalidRequest as error:
            raise serializers.ValidationError(error.detail) from None


class StatementSerializer(PollerSerializer):
    """What a device says about itself."""

    product = serializers.CharField(max_length=64, required=False, allow_blank=True, default="")
    attributes = AttributesField(required=False, default=dict, help_text="Shown to the person who decides.")
    deviceId = DeviceIdField(
        required=False, default="", help_text="What the device wants to be called; only with a provisioning token."
    )


class CodeRequestSerializer(StatementSerializer):
    serialNumber = SerialNumberField(help_text="The maker's serial number.")
    attributes = AttributesField(required=False, default=dict, help_text="What else the device says about itself.")


class CodeSerializer(serializers.Serializer[Any]):
    provisioningCode = serializers.CharField(help_text="Six symbols.")
    expiresAt = serializers.DateTimeField()
    expiresIn = serializers.IntegerField(help_text="Seconds.")
    verificationUri = serializers.URLField()
    verificationUriComplete = serializers.URLField()


class OperationBegunSerializer(serializers.Serializer[Any]):
    """What a device with a provisioning token is answered instead of a code."""

    operationId = serializers.UUIDField()
    status = serializers.ChoiceField(choices=["waiting", "approved"])
    verificationCode = serializers.CharField(help_text="Six symbols to show, for whoever approves to compare.")
    expiresAt = serializers.DateTimeField()
    expiresIn = serializers.IntegerField(help_text="Seconds.")


class PollRequestSerializer(StatementSerializer):
    serialNumber = SerialNumberField(required=False)
    provisioningCode = serializers.CharField(required=False, max_length=32)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("serialNumber" in attrs) == ("provisioningCode" in attrs):
            raise serializers.ValidationError(
                {"serialNumber": "Give the serial number or the provisioning code, one of them."}
            )
        return attrs


class PendingSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["pending"])
    pollAfter = serializers.IntegerField(help_text="Seconds.")
    matchNumber = serializers.CharField(required=False, help_text="Two digits to show to the person who lets it in.")
    verificationCode = serializers.CharField(
        required=False, help_text="With a provisioning token: show it to the person who lets it in."
    )
    expiresAt = serializers.DateTimeField(required=False, help_text="Until when somebody may decide.")


class HandOverSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["provisioned"])
    deviceId = serializers.UUIDField()
    deviceSecret = serializers.CharField(help_text="Given once.")
    tenantId = serializers.UUIDField()
    dataResidency = serializers.CharField(help_text="The code of the tenant's region.")
    hubUrl = serializers.URLField()
    portalUrl = serializers.URLField()
    externalId = serializers.CharField(required=False, help_text="What the device is called, where an id was chosen.")
    deviceSecretExpiresIn = serializers.IntegerField(required=False, help_text="Seconds, where the secret ends.")


class SealedHandOverSerializer(serializers.Serializer[Any]):
    """What a device with a public key is given instead: the same, sealed."""

    status = serializers.ChoiceField(choices=["provisioned"])
    suite = serializers.CharField(help_text="HPKE suite (RFC 9180), base mode.")
    sealed = serializers.CharField(help_text="base64url of the encapsulated key and the ciphertext.")
    confirmBy = serializers.DateTimeField(help_text="Until then the identical bytes are given again.")


class RotatedSecretSerializer(serializers.Serializer[Any]):
    deviceSecret = serializers.CharField()
    previousExpiresAt = serializers.DateTimeField(help_text="Until then the secret that was presented still works.")


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457."""

    type = serializers.URLField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField()
    code = serializers.CharField()
    requestId = serializers.CharField()
