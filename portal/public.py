"""Pages for anybody: health, the vocabulary of errors, and what is shown when something is not there or went wrong."""

from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_safe

from devices import errors
from devices.errors import DomainError
from portal.lib.request_id import current_request_id
from portal.problems import problem_response


class InternalError(DomainError):
    code, title, status = "internal-error", "Something went wrong here", 500


@require_GET
def healthz(request: HttpRequest) -> HttpResponse:
    """For load balancers: this process answers."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
def error_page(request: HttpRequest, code: str) -> HttpResponseBase:
    """What the `type` of a problem leads to."""
    for kind in vocabulary():
        if kind.code == code:
            return render(request, "error.html", {"title": kind.title, "code": kind.code, "status": kind.status})
    return not_found(request, None)


def vocabulary(base: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    """Every error there is: all subclasses of DomainError, each once."""
    for kind in base.__subclasses__():
        yield kind
        yield from vocabulary(kind)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return _answer(request, errors.MalformedRequest())


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return _answer(request, errors.Forbidden())


def not_found(request: HttpRequest, exception: Exception | None) -> HttpResponseBase:
    return _answer(request, errors.NotFound())


def server_error(request: HttpRequest) -> HttpResponseBase:
    return _answer(request, InternalError("The portal's log has more under the request id."))


def _answer(request: HttpRequest, error: DomainError) -> HttpResponse | JsonResponse:
    """A problem for programs, a page for people."""
    if request.path.startswith("/api/"):
        return problem_response(error, request)
    context = {"title": error.title, "code": error.code, "status": error.status, "request_id": current_request_id()}
    return render(request, "error.html", context, status=error.status)
