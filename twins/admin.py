"""The support admin: twins and their changes, for reading. Whoever wants to change a twin does so in the Console."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from devices.admin_base import ReadOnlyAdmin, as_json, search_link
from twins.models import Acknowledgement, Twin, TwinChange

_DOCUMENTS = ("tags", "desired", "reported", "desired_metadata", "reported_metadata")


@admin.register(Twin)
class TwinAdmin(ReadOnlyAdmin):
    list_display = (
        "device",
        "kind",
        "step",
        "desired_version",
        "acknowledged_version",
        "acknowledged_at",
        "reported_version",
    )
    list_select_related = ("device",)
    list_filter = ("acknowledgement",)
    fields = (
        "public_id",
        "device",
        "kind",
        "generation",
        "step",
        "acknowledgement_reason",
        "acknowledged_at",
        ("desired_version", "acknowledged_version", "reported_version", "tags_version"),
        "desired_as_json",
        "reported_as_json",
        "tags_as_json",
        "created_at",
        "changes",
    )
    uuid_search = ("public_id", "device__public_id", "device__tenant__public_id")
    serial_search = ("device__serial_key",)
    text_search = ("device__name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Twin]:
        twins: QuerySet[Twin] = super().get_queryset(request)
        # A page of a list would else read megabytes that it does not show.
        return twins.defer(*_DOCUMENTS)

    @admin.display(description="Desired section")
    def step(self, twin: Twin) -> str:
        return step_of(twin)

    @admin.display(description="Desired")
    def desired_as_json(self, twin: Twin) -> SafeString:
        return as_json(twin.desired)

    @admin.display(description="Reported")
    def reported_as_json(self, twin: Twin) -> SafeString:
        return as_json(twin.reported)

    @admin.display(description="Tags")
    def tags_as_json(self, twin: Twin) -> SafeString:
        return as_json(twin.tags)

    @admin.display(description="See also")
    def changes(self, twin: Twin) -> SafeString:
        return search_link(TwinChange, "Changes", twin.public_id)


@admin.register(TwinChange)
class TwinChangeAdmin(ReadOnlyAdmin):
    list_display = ("at", "device", "section", "version", "actor", "user", "request_id")
    list_select_related = ("twin__device", "user")
    list_filter = ("section", "actor")
    fields = ("twin", "section", "version", "patch_as_json", "at", "actor", "user", "request_id")
    uuid_search = ("twin__public_id", "twin__device__public_id")
    serial_search = ("twin__device__serial_key",)
    text_search = ("user__username",)
    exact_search = ("request_id",)

    @admin.display(description="Device")
    def device(self, change: TwinChange) -> str:
        return str(change.twin.device)

    @admin.display(description="Patch")
    def patch_as_json(self, change: TwinChange) -> SafeString:
        return as_json(change.patch)


def step_of(twin: Twin) -> str:
    """Whether the device has what it should have."""
    if twin.acknowledgement == Acknowledgement.FAILED and twin.acknowledged_version == twin.desired_version:
        return f"failed to apply version {twin.desired_version}"
    behind = twin.desired_version - twin.acknowledged_version
    if not behind:
        return "in step"
    return f"{behind} change{'s' if behind > 1 else ''} behind"
