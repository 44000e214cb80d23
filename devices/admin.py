"""The support admin: tenants, people, devices and what they authenticate and connect with.

Staff (`is_staff`) see what their view permissions name. Regions, tenants, products, memberships and users are edited in
forms; everything else is written by services, and changed here by actions that call them. No digest is ever shown.
Device is registered by provisioning/admin.py, where the deletion of a device can be called.
"""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db import models
from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from devices.actors import Actor
from devices.admin_base import ReadOnlyAdmin, ServiceRowAdmin, SupportAdmin, as_json, links, search_link
from devices.models import (
    ApiToken,
    CloseReason,
    Credential,
    Device,
    HistoryEntry,
    HubProcess,
    ListedSerial,
    Membership,
    Product,
    Region,
    SerialState,
    Session,
    Tenant,
    User,
)
from devices.presence import Presence, PresenceState, presence_of, presence_of_session
from devices.services.api_tokens import revoke_api_token
from devices.services.credentials import revoke_credentials
from devices.services.sessions import end_sessions
from portal.lib.clock import now

admin.site.site_header = admin.site.site_title = "Gangway support"
admin.site.index_title = "Look up"
admin.site.empty_value_display = "–"

_REVOKED = "revoked by support"
_REVOCATION = (
    "The credentials are dead at once, and a connection made with them is closed. The device cannot get new ones by "
    "itself: to come back it has to be enabled anew by an administrator of its tenant, or deleted and let in again."
)


@admin.register(Region)
class RegionAdmin(SupportAdmin):
    list_display = ("code", "name", "portal_url", "hub_url")
    ordering = ("code",)
    text_search = ("code", "name")
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        # Devices keep it with their credentials.
        return ("code",) if obj else ()


@admin.register(Tenant)
class TenantAdmin(SupportAdmin):
    list_display = ("name", "slug", "region", "public_id", "created_at")
    list_select_related = ("region",)
    list_filter = ("region",)
    fields = ("name", "slug", "region", "public_id", "created_at")
    ordering = ("name",)
    uuid_search = ("public_id",)
    text_search = ("name", "slug")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        # A tenant's data does not move by naming another region.
        return ("public_id", "created_at", "region") if obj else ("public_id", "created_at")


@admin.register(Membership)
class MembershipAdmin(SupportAdmin):
    list_display = ("user", "tenant", "role", "created_at")
    list_select_related = ("user", "tenant")
    list_filter = ("role",)
    raw_id_fields = ("user", "tenant")
    readonly_fields = ("created_at",)
    uuid_search = ("tenant__public_id",)
    text_search = ("user__username", "user__email", "tenant__name")


@admin.register(Product)
class ProductAdmin(SupportAdmin):
    """Products. Which devices one admits is its tenant's decision, made in the Console: here it is for reading."""

    list_display = ("code", "name", "tenant", "admission", "admits_by_serial_alone", "created_at")
    list_select_related = ("tenant",)
    list_filter = ("admission", "admits_by_serial_alone")
    raw_id_fields = ("tenant",)
    fields = (
        "tenant",
        "code",
        "name",
        "admission",
        "admits_by_serial_alone",
        "activation_window",
        "public_id",
        "created_at",
        "see_also",
    )
    uuid_search = ("public_id", "tenant__public_id")
    text_search = ("code", "name", "tenant__name")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        always = ("admission", "admits_by_serial_alone", "activation_window", "public_id", "created_at", "see_also")
        return (*always, "tenant") if obj else always

    @admin.display(description="See also")
    def see_also(self, product: Product) -> SafeString | str:
        return search_link(ListedSerial, "Listed serial numbers", product.public_id) if product.pk else ""


@admin.register(ListedSerial)
class ListedSerialAdmin(ReadOnlyAdmin):
    """What tenants announced. Only their own imports and removals change it."""

    list_display = ("serial_number", "product", "tenant", "what_became", "admitted_at", "created_at")
    list_select_related = ("product__tenant",)
    fields = ("serial_number", "product", "tenant", "what_became", "admitted_at", "created_at", "see_also")
    uuid_search = ("product__public_id", "product__tenant__public_id")
    serial_search = ("serial_key",)
    text_search = ("product__code", "product__name", "product__tenant__name")
    search_help_text = "Start of the serial number, id or name of the product or tenant."

    def get_queryset(self, request: HttpRequest) -> QuerySet[ListedSerial]:
        return super().get_queryset(request).with_state()  # type: ignore[no-any-return, attr-defined]

    @admin.display(description="Tenant")
    def tenant(self, listed: ListedSerial) -> Tenant:
        return listed.product.tenant

    @admin.display(description="What became of it")
    def what_became(self, listed: Any) -> str:
        return str(SerialState(listed.state).label)

    @admin.display(description="See also")
    def see_also(self, listed: ListedSerial) -> SafeString:
        return search_link(Device, "Devices with this serial number", listed.serial_number)


@admin.register(User)
class UserAdmin(DjangoUserAdmin):  # type: ignore[type-arg]
    """People. Only superusers decide who is staff and what staff may do, and only they touch the accounts of staff:
    whoever could set a colleague's password would have the colleague's permissions.
    """

    list_display = ("username", "email", "first_name", "last_name", "is_active", "is_staff", "last_login")
    fieldsets = (
        (None, {"fields": ("username", "first_name", "last_name", "email", "is_active", "set_password", "see_also")}),
        ("Support", {"fields": ("is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Times", {"fields": ("last_login", "date_joined")}),
    )
    search_fields = ("username__istartswith", "email__istartswith", "first_name__istartswith", "last_name__istartswith")
    show_full_result_count = False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and (
            _is_superuser(request) or not (isinstance(obj, User) and (obj.is_staff or obj.is_superuser))
        )

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # History rows would forget who it was. Whoever has gone is made inactive.
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        always = ("set_password", "see_also", "last_login", "date_joined")
        support = ("is_staff", "is_superuser", "groups", "user_permissions")
        return always if _is_superuser(request) else always + support

    @admin.display(description="Password")
    def set_password(self, user: User) -> SafeString:
        return format_html('<a href="{}">Set a new one</a>', reverse("admin:auth_user_password_change", args=[user.pk]))

    @admin.display(description="See also")
    def see_also(self, user: User) -> SafeString:
        name = user.get_username()
        return links(
            search_link(Membership, "Memberships", name),
            search_link(ApiToken, "API tokens", name),
            search_link(HistoryEntry, "What they did", name),
        )


@admin.register(ApiToken)
class ApiTokenAdmin(ServiceRowAdmin):
    list_display = ("prefix", "name", "user", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_select_related = ("user",)
    fields = ("public_id", "user", "name", "prefix", "created_at", "expires_at", "last_used_at", "revoked_at")
    uuid_search = ("public_id",)
    text_search = ("user__username", "user__email", "name", "prefix")
    actions = ("revoke",)

    def describe(self, row: ApiToken) -> str:
        return f"{row} of {row.user}"

    @admin.action(description="Revoke", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> HttpResponse | None:
        return self.confirmed(
            request,
            queryset.select_related("user"),
            verb=lambda token, actor: revoke_api_token(token=token),
            title="Revoke API tokens",
            consequence="Programs that use them are refused from now on.",
            done="API token revoked",
        )


class DeviceAdmin(ServiceRowAdmin):
    """A device, and whether it is there."""

    list_display: tuple[str, ...] = (
        "serial_number",
        "name",
        "tenant",
        "product",
        "state",
        "presence",
        "last_seen_at",
        "created_at",
    )
    list_select_related = ("tenant", "product")
    list_filter = ("state", "tenant__region")
    fields: ClassVar[tuple[str, ...]] = (
        "public_id",
        "serial_number",
        "external_id",
        "name",
        "tenant",
        "product",
        "state",
        "presence",
        "attributes_as_json",
        "credential_lifetime",
        "claimed_by",
        "created_at",
        "activated_at",
        "last_seen_at",
        "retired_at",
        "session_epoch",
        "see_also",
    )
    uuid_search = ("public_id", "tenant__public_id")
    serial_search = ("serial_key",)
    text_search = ("name", "external_id", "claimed_by__username")
    search_help_text = "Device id, start of the serial number, external id or name, tenant id, or who let it in."
    actions: tuple[str, ...] = ("revoke", "end_connection")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Device]:
        return super().get_queryset(request).with_open_session()  # type: ignore[no-any-return, attr-defined]

    @admin.display(description="Presence")
    def presence(self, device: Device) -> str:
        return in_words(presence_of(device, now()))

    @admin.display(description="What it said about itself")
    def attributes_as_json(self, device: Device) -> SafeString:
        return as_json(device.attributes)

    @admin.display(description="See also")
    def see_also(self, device: Device) -> SafeString:
        return links(*[search_link(model, text, device.public_id) for model, text in self.related_lists()])

    def describe(self, row: Device) -> str:
        return named(row)

    def related_lists(self) -> list[tuple[type[Model], str]]:
        return [(Session, "Connections"), (Credential, "Credentials"), (HistoryEntry, "History")]

    @admin.action(description="Revoke credentials", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Device]) -> HttpResponse | None:
        return self.confirmed(
            request,
            queryset,
            verb=lambda device, actor: _revoke(device, actor),
            title="Revoke credentials",
            consequence=_REVOCATION,
            done="Credentials revoked",
        )

    @admin.action(description="End the connection", permissions=["change"])
    def end_connection(self, request: HttpRequest, queryset: QuerySet[Device]) -> HttpResponse | None:
        return self.confirmed(
            request,
            queryset,
            verb=lambda device, actor: _end(device),
            title="End connections",
            consequence=(
                "The connection is closed with code 1012, on which a device comes back by itself. Its credentials stay "
                "valid; to keep it out, revoke them."
            ),
            done="Connection ended",
        )


@admin.register(Credential)
class CredentialAdmin(ServiceRowAdmin):
    list_display = (
        "prefix",
        "kind",
        "device",
        "tenant",
        "issued_at",
        "replaced_at",
        "expires_at",
        "revoked_at",
        "last_used_at",
        "last_used_network",
        "clone_suspected_at",
    )
    list_select_related = ("device__tenant",)
    list_filter = ("kind", ("clone_suspected_at", admin.EmptyFieldListFilter))
    fields = (
        "public_id",
        "device",
        "kind",
        "prefix",
        "parent",
        "issued_at",
        "replaced_at",
        "expires_at",
        "revoked_at",
        "revoked_reason",
        "last_used_at",
        "last_used_network",
        "clone_suspected_at",
    )
    uuid_search = ("public_id", "device__public_id", "device__tenant__public_id")
    serial_search = ("device__serial_key",)
    text_search = ("device__name", "prefix")
    actions = ("revoke",)

    @admin.display(description="Tenant")
    def tenant(self, credential: Credential) -> Tenant:
        return credential.device.tenant

    def describe(self, row: Credential) -> str:
        return f"{row} of {named(row.device)}"

    @admin.action(description="Revoke, with all others of the device", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Credential]) -> HttpResponse | None:
        return self.confirmed(
            request,
            queryset.select_related("device__tenant"),
            verb=lambda credential, actor: _revoke(credential.device, actor),
            title="Revoke credentials",
            consequence=_REVOCATION,
            done="Credentials revoked",
        )


@admin.register(HubProcess)
class HubProcessAdmin(ReadOnlyAdmin):
    list_display = ("host", "pid", "started_at", "lease_until", "stopped_at", "open_sessions")
    fields = ("name", "host", "pid", "started_at", "lease_until", "stopped_at", "open_sessions")
    uuid_search = ("name",)
    text_search = ("host",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[HubProcess]:
        counted: QuerySet[HubProcess] = super().get_queryset(request)
        return counted.annotate(open_sessions=Count("sessions", filter=Q(sessions__closed_at=None)))

    @admin.display(description="Open connections")
    def open_sessions(self, process: Any) -> int:
        return int(process.open_sessions)


@admin.register(Session)
class SessionAdmin(ServiceRowAdmin):
    list_display = (
        "device",
        "tenant",
        "presence",
        "network",
        "agent",
        "process",
        "connected_at",
        "last_frame_at",
        "closed_at",
        "close_reason",
    )
    list_select_related = ("device__tenant", "process")
    list_filter = (("closed_at", admin.EmptyFieldListFilter), "close_reason")
    fields = (
        "public_id",
        "device",
        "presence",
        "credential",
        "process",
        "epoch",
        "network",
        "agent",
        "connected_at",
        "last_frame_at",
        "closed_at",
        "close_reason",
    )
    uuid_search = ("public_id", "device__public_id", "device__tenant__public_id")
    serial_search = ("device__serial_key",)
    text_search = ("device__name",)
    actions = ("end_connection",)

    @admin.display(description="Tenant")
    def tenant(self, session: Session) -> Tenant:
        return session.device.tenant

    @admin.display(description="Presence")
    def presence(self, session: Session) -> str:
        return "" if session.closed_at else in_words(presence_of_session(session, now()))

    def describe(self, row: Session) -> str:
        return f"connection {row.epoch} of {named(row.device)}"

    @admin.action(description="End the device's connection", permissions=["change"])
    def end_connection(self, request: HttpRequest, queryset: QuerySet[Session]) -> HttpResponse | None:
        return self.confirmed(
            request,
            queryset.filter(closed_at=None).select_related("device__tenant"),
            verb=lambda session, actor: _end(session.device),
            title="End connections",
            consequence=(
                "The connection is closed with code 1012, on which a device comes back by itself. Its credentials stay "
                "valid; to keep it out, revoke them."
            ),
            done="Connection ended",
        )


@admin.register(HistoryEntry)
class HistoryEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "subject", "from_state", "to_state", "reason", "device", "tenant", "actor", "user", "network")
    list_select_related = ("device", "tenant", "user")
    list_filter = ("subject", "actor")
    fields = (
        "at",
        "subject",
        "subject_id",
        "from_state",
        "to_state",
        "reason",
        "device",
        "tenant",
        "actor",
        "user",
        "network",
        "request_id",
    )
    uuid_search = ("subject_id", "device__public_id", "tenant__public_id")
    serial_search = ("device__serial_key",)
    text_search = ("user__username",)
    exact_search = ("request_id",)
    search_help_text = "Id of a device, tenant, enrolment, code or credential; serial number, user name, request id."


def named(device: Device) -> str:
    """A device so that nobody takes it for another."""
    return f"{device}, serial number {device.serial_number}, of {device.tenant}"


def in_words(presence: Presence) -> str:
    """Presence as support reads it: the state, and what it rests on unless that is plain."""
    return (
        presence.state.value if presence.state == PresenceState.ONLINE else f"{presence.state.value}: {presence.reason}"
    )


def _revoke(device: Device, actor: Actor) -> bool:
    return revoke_credentials(device=device, actor=actor, reason=_REVOKED) > 0


def _end(device: Device) -> bool:
    if not Session.objects.open().filter(device=device).exists():
        return False
    end_sessions(device=device, reason=CloseReason.ENDED)
    return True


def _is_superuser(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.is_superuser
