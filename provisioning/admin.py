"""The support admin: enrolments and codes, and devices with all that says why one does not come up."""

from django.contrib import admin
from django.db.models import Model, Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from devices.admin import DeviceAdmin, in_words
from devices.admin_base import ServiceRowAdmin, as_json, links, search_link
from devices.models import Credential, Device, DeviceState, HistoryEntry, Tenant
from devices.presence import PresenceState, presence_of
from portal.lib.clock import now
from provisioning.models import Enrolment, ProvisioningCode, lifetime
from provisioning.services.removal import delete_device, end_enrolment
from provisioning.states import WITH_DEVICE_STATES, CodeState, EnrolmentState
from twins.admin import step_of
from twins.models import Twin, TwinKind


@admin.register(Device)
class DiagnosedDeviceAdmin(DeviceAdmin):
    """A device with the one sentence support needs. What that rests on spans apps, as does its deletion; hence here."""

    list_display = (
        "serial_number",
        "name",
        "tenant",
        "product",
        "state",
        "why",
        "last_seen_at",
        "created_at",
    )
    fields = ("why", *DeviceAdmin.fields)
    actions = (*DeviceAdmin.actions, "delete")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Device]:
        enrolments = Enrolment.objects.filter(state__in=WITH_DEVICE_STATES)
        twins = Twin.objects.filter(kind=TwinKind.DEVICE).only(
            "device_id", "desired_version", "acknowledged_version", "acknowledgement"
        )
        return (
            super()
            .get_queryset(request)
            .prefetch_related(
                Prefetch("enrolments", enrolments, to_attr="let_in"),
                Prefetch("credentials", Credential.objects.usable(now()), to_attr="usable_credentials"),
                Prefetch("twins", twins, to_attr="main_twins"),
            )
        )

    @admin.display(description="How it is")
    def why(self, device: Device) -> str:
        return why_of_device(device)

    def related_lists(self) -> list[tuple[type[Model], str]]:
        return [*super().related_lists(), (Twin, "Twin"), (Enrolment, "Enrolments")]

    @admin.action(description="Delete", permissions=["change"])
    def delete(self, request: HttpRequest, queryset: QuerySet[Device]) -> HttpResponse | None:
        return self.confirmed(
            request,
            queryset,
            verb=lambda device, actor: delete_device(device=device, actor=actor, reason="deleted by support"),
            title="Delete devices",
            consequence=(
                "Their credentials and connections end at once, and this cannot be undone. Their rows and their "
                "history stay. Their serial numbers may be let in anew."
            ),
            done="Device deleted",
        )


@admin.register(Enrolment)
class EnrolmentAdmin(ServiceRowAdmin):
    list_display = (
        "serial_number",
        "stated_product",
        "state",
        "why",
        "tenant",
        "device",
        "network",
        "created_at",
        "last_polled_at",
    )
    list_select_related = ("tenant", "device")
    list_filter = ("state",)
    fields = (
        "why",
        "public_id",
        "serial_number",
        "stated_product",
        "attributes_as_json",
        "network",
        "poller_kind",
        "state",
        "tenant",
        "device",
        "created_at",
        "last_polled_at",
        "unlocked_at",
        "delivered_at",
        "ended_at",
        "see_also",
    )
    uuid_search = ("public_id", "device__public_id", "tenant__public_id")
    serial_search = ("serial_key",)
    text_search = ("device__name", "tenant__name")
    search_help_text = "Serial number, id of the enrolment, device or tenant, or name of the device or tenant."
    actions = ("decline",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Enrolment]:
        enrolments: QuerySet[Enrolment] = super().get_queryset(request)
        redeemable = ProvisioningCode.objects.redeemable(now())
        return enrolments.prefetch_related(Prefetch("codes", redeemable, to_attr="redeemable_codes"))

    @admin.display(description="How it is")
    def why(self, enrolment: Enrolment) -> str:
        return why_of_enrolment(enrolment)

    @admin.display(description="What the device says")
    def attributes_as_json(self, enrolment: Enrolment) -> SafeString:
        return as_json(enrolment.attributes)

    @admin.display(description="See also")
    def see_also(self, enrolment: Enrolment) -> SafeString:
        return links(
            search_link(ProvisioningCode, "Codes", enrolment.public_id),
            search_link(HistoryEntry, "History", enrolment.public_id),
            search_link(Enrolment, "Others with this serial number", enrolment.serial_number),
        )

    @admin.action(description="Decline", permissions=["change"])
    def decline(self, request: HttpRequest, queryset: QuerySet[Enrolment]) -> HttpResponse | None:
        return self.confirmed(
            request,
            queryset,
            verb=lambda enrolment, actor: end_enrolment(
                enrolment=enrolment, to=EnrolmentState.DECLINED, actor=actor, reason="declined by support"
            ),
            title="Decline enrolments",
            consequence="Their codes are dead at once, and the devices are told to stay away for an hour.",
            done="Enrolment declined",
        )


@admin.register(ProvisioningCode)
class ProvisioningCodeAdmin(ServiceRowAdmin):
    """Codes by their owner. They cannot be searched for by themselves: the search is part of the address, where no
    code may be.
    """

    list_display = ("serial_number", "state", "why", "tenant", "device", "issued_at", "expires_at", "redeemed_at")
    list_select_related = ("enrolment__tenant", "enrolment__device")
    list_filter = ("state",)
    fields = ("public_id", "enrolment", "state", "why", "tenant", "device", "issued_at", "expires_at", "redeemed_at")
    uuid_search = (
        "public_id",
        "enrolment__public_id",
        "enrolment__device__public_id",
        "enrolment__tenant__public_id",
    )
    serial_search = ("enrolment__serial_key",)
    text_search = ("enrolment__device__name", "enrolment__tenant__name")
    search_help_text = "Whose code: serial number, id of the enrolment, device or tenant, or a name."

    @admin.display(description="Serial number")
    def serial_number(self, code: ProvisioningCode) -> str:
        return code.enrolment.serial_number

    @admin.display(description="Tenant")
    def tenant(self, code: ProvisioningCode) -> Tenant | None:
        return code.enrolment.tenant

    @admin.display(description="Device")
    def device(self, code: ProvisioningCode) -> Device | None:
        return code.enrolment.device

    @admin.display(description="How it is")
    def why(self, code: ProvisioningCode) -> str:
        if code.state != CodeState.ISSUED:
            return code.get_state_display().lower()
        return "can be used" if code.expires_at > now() else "over, not swept yet"


def why_of_device(device: Device) -> str:
    """Why a device, fetched as by DiagnosedDeviceAdmin, is or is not there. One sentence."""
    if device.state != DeviceState.ACTIVE:
        return device.get_state_display().lower()
    presence = presence_of(device, now())
    known = device.__dict__
    enrolment = next(iter(known["let_in"]), None)
    if presence.state == PresenceState.ONLINE:
        twin = next(iter(known["main_twins"]), None)
        return f"online, {step_of(twin)}" if twin else "online, without a twin"
    if enrolment is not None and enrolment.state == EnrolmentState.UNLOCKED:
        return "let in, has not collected its credentials"
    if not known["usable_credentials"]:
        return "its credentials were revoked or have expired"
    if device.activated_at is None:
        return "has its credentials, has never connected"
    return in_words(presence)


def why_of_enrolment(enrolment: Enrolment) -> str:
    """Where an enrolment, fetched as by EnrolmentAdmin, stands. One sentence."""
    if enrolment.state != EnrolmentState.WAITING:
        return enrolment.get_state_display()
    if enrolment.last_polled_at <= now() - lifetime():
        return "the device fell silent; over, not swept yet"
    return (
        "waits for a person, with a code" if enrolment.__dict__["redeemable_codes"] else "waits for a person, no code"
    )
