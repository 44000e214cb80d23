"""What happened in a tenant, newest first."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from devices.models import HistoryEntry
from portal.console.cursors import newest_page
from portal.console.frame import frame_of
from portal.console.page import ConsoleRequest, console_page, plain, render_page, wants_part
from portal.console.words import event_of

_PAGE = 50


@console_page
@require_safe
def activity(request: ConsoleRequest) -> HttpResponse:
    after = plain(request, "after")
    entries = HistoryEntry.objects.filter(tenant__in=frame_of(request).tenants).select_related(
        "user", "device", "tenant"
    )
    page, following = newest_page(entries, after=after, size=_PAGE)
    context = {"events": [event_of(entry) for entry in page], "following": following, "after": after}
    template = "console/activity.html#events" if wants_part(request) else "console/activity.html"
    return render_page(request, template, context)
