"""Errors on HTTP: RFC 9457 problems for programs."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost, PermissionDenied, RequestDataTooBig
from django.db import DatabaseError
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions as drf
from rest_framework.response import Response

from devices import errors
from devices.errors import DomainError
from portal.lib.request_id import current_request_id

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"


def exception_handler(exception: Exception, context: Mapping[str, Any]) -> Response | JsonResponse | None:
    """DRF's hook. What has no name in the vocabulary is raised on, and becomes a plain 500 with a request id."""
    error = as_domain_error(exception)
    if error is None:
        return None
    request = context["request"]
    if error.status == 503:
        logger.error("unavailable", exc_info=exception)
    response = problem_response(error, request)
    if error.status == 401 and (header := getattr(exception, "auth_header", None) or _challenge(context)):
        response["WWW-Authenticate"] = header
    return response


def problem_response(error: DomainError, request: HttpRequest) -> JsonResponse:
    """The error as a problem document (RFC 9457 section 3), with Retry-After where there is one (RFC 9110)."""
    response = JsonResponse(problem(error, request), status=error.status, content_type=CONTENT_TYPE)
    if error.retry_after is not None:
        response["Retry-After"] = str(error.retry_after)
    return response


def problem(error: DomainError, request: HttpRequest) -> dict[str, Any]:
    base = settings.PUBLIC_URL or f"{request.scheme}://{_host(request)}"
    document: dict[str, Any] = {
        "type": f"{base}/errors/{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": request.path,
        "code": error.code,
        "requestId": current_request_id(),
        **error.data,
    }
    if error.retry_after is not None:
        document["retryAfter"] = error.retry_after
    if error.errors:
        document["errors"] = error.errors
    return document


def as_domain_error(exception: Exception) -> DomainError | None:
    """The exception in our vocabulary, or None when it has no place there."""
    match exception:
        case DomainError():
            return exception
        case drf.ValidationError():
            fields = list(_field_errors(exception.detail))
            return errors.InvalidRequest(fields[0]["detail"] if len(fields) == 1 else "", errors=fields)
        case drf.NotAuthenticated() | drf.AuthenticationFailed():
            return errors.Unauthenticated()
        case drf.PermissionDenied() | PermissionDenied():
            return errors.Forbidden()
        case drf.NotFound() | Http404():
            return errors.NotFound()
        case drf.MethodNotAllowed():
            return errors.MethodNotAllowed(str(exception.detail))
        case drf.NotAcceptable():
            return errors.NotAcceptable()
        case drf.UnsupportedMediaType():
            return errors.UnsupportedMediaType(str(exception.detail))
        case drf.ParseError():
            return errors.MalformedRequest()
        case RequestDataTooBig():
            return errors.PayloadTooLarge()
        case DatabaseError():
            return errors.Unavailable(retry_after=5)
    return None


def _field_errors(detail: Any, path: str = "") -> Iterator[dict[str, str]]:
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from _field_errors(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(detail, list):
        for inner in detail:
            yield from _field_errors(inner, path)
    else:
        yield {"field": path, "detail": str(detail)}


def _challenge(context: Mapping[str, Any]) -> str | None:
    view = context.get("view")
    header: str | None = view.get_authenticate_header(context["request"]) if view is not None else None
    return header


def _host(request: HttpRequest) -> str:
    try:
        return request.get_host()
    except DisallowedHost:
        # Which may be the error that is being told.
        return str(request.META.get("SERVER_NAME", "localhost"))
