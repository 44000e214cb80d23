"""What every request gets."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from portal.lib.request_id import begin_request

GetResponse = Callable[[HttpRequest], HttpResponse]

# Scripts and styles are files of our own; htmx needs no inline code when its indicator styles are switched off.
_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
# The API's browsable documentation brings inline styles and a script of its own.
_DOCUMENTATION_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; frame-ancestors 'none'"
)


def request_id(get_response: GetResponse) -> GetResponse:
    """Give the request its id, and say it in the answer."""

    def middleware(request: HttpRequest) -> HttpResponse:
        current = begin_request(request.headers.get("X-Request-Id", ""))
        response = get_response(request)
        response.headers["X-Request-Id"] = current
        return response

    return middleware


def content_security_policy(get_response: GetResponse) -> GetResponse:
    """CSP level 3 on pages; what is no page needs none."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            documentation = request.path.startswith("/api/")
            policy = _DOCUMENTATION_POLICY if documentation else _POLICY
            response.headers.setdefault("Content-Security-Policy", policy)
        return response

    return middleware
