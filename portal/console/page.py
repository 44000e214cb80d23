"""What every view of the Console shares: who may ask, what errors look like, which part of a page is answered."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRefresh, reswap, retarget
from django_htmx.middleware import HtmxDetails

from devices.actors import Actor
from devices.errors import DomainError
from devices.models import User
from portal.console.frame import frame_of
from portal.lib.network import request_address
from portal.lib.request_id import current_request_id

P = ParamSpec("P")


class ConsoleRequest(HttpRequest):
    """A request of somebody who is logged in."""

    htmx: HtmxDetails
    user: User


View = Callable[Concatenate[ConsoleRequest, P], HttpResponse]


def console_page(view: View[P]) -> View[P]:
    """For people who are logged in. A DomainError the view does not answer itself becomes a sentence on a page."""

    @wraps(view)
    def guarded(request: ConsoleRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            return _ask_for_login(request)
        try:
            return view(request, *args, **kwargs)
        except DomainError as error:
            return refuse(request, error)

    return cast("View[P]", never_cache(vary_on_headers("HX-Request", "HX-Target")(guarded)))


def render_page(request: ConsoleRequest, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """A page, or with `template.html#name` a part of one, with what the frame needs."""
    return render(request, template, {"frame": frame_of(request), **context}, status=status)


def wants_part(request: ConsoleRequest) -> bool:
    """Whether htmx asks for a part of the page; not when it restores a whole one from its history."""
    return bool(request.htmx) and not request.htmx.boosted and not request.htmx.history_restore_request


def refuse(request: ConsoleRequest, error: DomainError) -> HttpResponse:
    """The error as a page; where htmx asked, as a message above what is there, which stays as it is."""
    context = {
        "title": error.title,
        "detail": error.detail,
        "code": error.code,
        "status": error.status,
        "request_id": current_request_id(),
    }
    if wants_part(request):
        response = render(request, "console/_alert.html", {"text": error.detail, **context}, status=error.status)
        return reswap(retarget(response, "#messages"), "innerHTML")
    response = render(request, "error.html", context, status=error.status)
    if error.retry_after is not None:
        response["Retry-After"] = str(error.retry_after)
    return response


def plain(request: ConsoleRequest, name: str) -> str:
    """One line of text from the form or the query; "" for what nobody can type, such as U+0000."""
    text = request.POST.get(name, request.GET.get(name, "")).strip()
    return text if text.isprintable() else ""


def acting(request: ConsoleRequest) -> Actor:
    """The user, for the history."""
    return Actor.user(request.user.pk, request_address(request.META))


def _ask_for_login(request: ConsoleRequest) -> HttpResponse:
    # A login page must not land inside a part of a page: the whole page asks again, and is led there.
    return HttpResponseClientRefresh() if request.htmx else redirect_to_login(request.get_full_path())
