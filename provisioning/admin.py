"""The support admin: enrolments, codes, tokens, and devices with all that says why one does not come up."""

import uuid
from typing import Any

from django.contrib import admin
from django.db.models import Model, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from devices.admin import DeviceAdmin, in_words
from devices.admin_base import ReadOnlyAdmin, ServiceRowAdmin, as_json, links, search_link
from devices.models import Credential, Device, DeviceState, HistoryEntry, Tenant, User
from devices.presence import PresenceState, presence_of
from portal.lib.clock import now
from provisioning.budget import UNIT
from provisioning.guess_models import CountScope
from provisioning.models import Enrolment, EntryCount, ProvisioningCode, ProvisioningToken
from provisioning.pollers import PollerKind
from provisioning.services.removal import delete_device, end_enrolment
from provisioning.services.tokens import revoke_provisioning_token
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
        # The newest first: beside the one it came aboard with there may be one it was let in again with.
        enrolments = Enrolment.objects.filter(state__in=WITH_DEVICE_STATES).order_by("-pk").defer("sealed_hand_over")
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
    list_select_related = ("tenant", "device", "token")
    list_filter = ("state", ("token", admin.EmptyFieldListFilter))
    # Neither the match number, which is for the device's screen alone, nor what is sealed.
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
        "token",
        "requested_id",
        "verification_code",
        "created_at",
        "last_polled_at",
        "decide_until",
        "unlocked_at",
        "window_until",
        "delivered_at",
        "sealed_until",
        "confirmed_at",
        "ended_at",
        "see_also",
    )
    uuid_search = ("public_id", "device__public_id", "tenant__public_id", "token__public_id")
    serial_search = ("serial_key",)
    text_search = ("serial_number", "requested_id", "device__name", "tenant__name")
    search_help_text = "Serial number, id of the enrolment, device, tenant or token, or name of the device or tenant."
    actions = ("decline",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Enrolment]:
        enrolments: QuerySet[Enrolment] = super().get_queryset(request)
        redeemable = ProvisioningCode.objects.redeemable(now())
        return enrolments.defer("sealed_hand_over").prefetch_related(
            Prefetch("codes", redeemable, to_attr="redeemable_codes")
        )

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
            consequence=(
                "Their codes are dead at once, nobody can approve them any more, and the devices are told to stay away "
                "for an hour."
            ),
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


@admin.register(ProvisioningToken)
class ProvisioningTokenAdmin(ServiceRowAdmin):
    """Tokens by how they begin. The secrets are not kept."""

    list_display = (
        "name",
        "prefix",
        "tenant",
        "product",
        "how",
        "approval",
        "uses",
        "created_at",
        "expires_at",
        "last_used_at",
    )
    list_select_related = ("tenant", "product")
    list_filter = ("approval", ("revoked_at", admin.EmptyFieldListFilter))
    fields = (
        "how",
        "public_id",
        "name",
        "prefix",
        "tenant",
        "product",
        "device_id_policy",
        "device_id",
        "approval",
        "maximum_credential_lifetime",
        "uses",
        "created_at",
        "created_by",
        "expires_at",
        "revoked_at",
        "last_used_at",
        "see_also",
    )
    uuid_search = ("public_id", "tenant__public_id", "product__public_id")
    text_search = ("name", "prefix", "device_id", "tenant__name", "product__code")
    search_help_text = "Name or beginning of the token, its device id, id or name of the tenant, or its product."
    actions = ("revoke",)

    @admin.display(description="How it is")
    def how(self, token: ProvisioningToken) -> str:
        return token.state(now())

    @admin.display(description="Let in")
    def uses(self, token: ProvisioningToken) -> str:
        return str(token.use_count) if token.use_limit is None else f"{token.use_count} of {token.use_limit}"

    @admin.display(description="See also")
    def see_also(self, token: ProvisioningToken) -> SafeString:
        return links(
            search_link(Enrolment, "Operations", token.public_id),
            search_link(HistoryEntry, "History", token.public_id),
        )

    def describe(self, row: ProvisioningToken) -> str:
        return f"{row} of {row.tenant}"

    @admin.action(description="Revoke", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ProvisioningToken]) -> HttpResponse | None:
        return self.confirmed(
            request,
            queryset.select_related("tenant"),
            verb=lambda token, actor: revoke_provisioning_token(token=token, actor=actor, reason="revoked by support"),
            title="Revoke provisioning tokens",
            consequence=(
                "No device can begin with them any more, and those that wait for approval are turned away. Devices "
                "that were let in with them stay."
            ),
            done="Provisioning token revoked",
        )


@admin.register(EntryCount)
class EntryCountAdmin(ReadOnlyAdmin):
    """The books of the guess budget: who entered how many codes and serial numbers, right and wrong."""

    list_display = ("hour", "scope", "whose", "wrong", "wrong_serials", "right", "hit_chance", "last_entry_at")
    list_filter = ("scope",)
    fields = list_display
    ordering = ("-hour",)
    search_help_text = "Start of a user name or of a tenant's name, or a tenant's id."

    def get_queryset(self, request: HttpRequest) -> QuerySet[EntryCount]:
        counts: QuerySet[EntryCount] = super().get_queryset(request)
        users, tenants = User.objects.filter(pk=OuterRef("source")), Tenant.objects.filter(pk=OuterRef("source"))
        return counts.annotate(
            user_name=Subquery(users.values("username")[:1]), tenant_name=Subquery(tenants.values("name")[:1])
        )

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return ["source"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip().replace("\x00", "\ufffd")
        if not term:
            return queryset, False
        try:
            tenants = Tenant.objects.filter(public_id=uuid.UUID(term))
        except ValueError:
            tenants = Tenant.objects.filter(name__istartswith=term)
        users = User.objects.filter(username__istartswith=term)
        of_tenant = Q(scope=CountScope.TENANT, source__in=tenants.values("pk"))
        return queryset.filter(of_tenant | Q(scope=CountScope.USER, source__in=users.values("pk"))), False

    @admin.display(description="Whose")
    def whose(self, count: Any) -> str:
        match count.scope:
            case CountScope.USER:
                return count.user_name or f"user {count.source}, deleted"
            case CountScope.TENANT:
                return count.tenant_name or f"tenant {count.source}, deleted"
        return ""

    @admin.display(description="Booked chance")
    def hit_chance(self, count: EntryCount) -> str:
        return f"{count.chance / UNIT:.2g}"


def why_of_device(device: Device) -> str:
    """Why a device, fetched as by DiagnosedDeviceAdmin, is or is not there. One sentence."""
    sentence = _why_of_device(device)
    is_copied = any(credential.clone_suspected_at for credential in device.__dict__["usable_credentials"])
    return f"{sentence}; its secret may have been copied" if is_copied else sentence


def _why_of_device(device: Device) -> str:
    if device.state != DeviceState.ACTIVE:
        return device.get_state_display().lower()
    presence = presence_of(device, now())
    known = device.__dict__
    enrolment = next(iter(known["let_in"]), None)
    if presence.state == PresenceState.ONLINE:
        twin = next(iter(known["main_twins"]), None)
        return f"online, {step_of(twin)}" if twin else "online, without a twin"
    if enrolment is not None and enrolment.state == EnrolmentState.UNLOCKED:
        return why_of_enrolment(enrolment)
    if not known["usable_credentials"]:
        return "its credentials were revoked or have expired"
    if enrolment is not None and enrolment.state == EnrolmentState.DELIVERED:
        return why_of_enrolment(enrolment)
    return "has its credentials, has never connected" if device.activated_at is None else in_words(presence)


def why_of_enrolment(enrolment: Enrolment) -> str:
    """Where an enrolment, fetched as by EnrolmentAdmin, stands. One sentence."""
    match enrolment.state:
        case EnrolmentState.WAITING:
            return _why_it_waits(enrolment)
        case EnrolmentState.UNLOCKED if enrolment.is_stale(now()):
            return "let in, and nothing collected in time; over, not swept yet"
        case EnrolmentState.UNLOCKED if enrolment.is_unbound:
            return "let in, has not come yet: the first poll with its serial number takes it"
        case EnrolmentState.UNLOCKED:
            return "let in, has not collected its credentials"
        case EnrolmentState.DELIVERED if enrolment.poller_kind == PollerKind.PLAIN:
            return "was handed its credentials, has not used them; a plain poller is not given them again"
        case EnrolmentState.DELIVERED if enrolment.sealed_until is not None and enrolment.sealed_until > now():
            return "was handed its credentials, has not confirmed them; may still ask for them again"
        case EnrolmentState.DELIVERED:
            return "was handed its credentials, has not confirmed them in time"
    return str(enrolment.get_state_display())


def _why_it_waits(enrolment: Enrolment) -> str:
    if enrolment.token is not None:
        if enrolment.token.revoked_at is not None:
            return "its provisioning token was revoked; over, not swept yet"
        is_over = enrolment.is_stale(now())
        return "nobody decided in time; over, not swept yet" if is_over else "waits for a person to approve it"
    if enrolment.is_stale(now()):
        return "the device fell silent; over, not swept yet"
    return (
        "waits for a person, with a code" if enrolment.__dict__["redeemable_codes"] else "waits for a person, no code"
    )
