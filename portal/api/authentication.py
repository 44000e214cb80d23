"""API tokens on HTTP: `Authorization: Bearer …` (RFC 6750)."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from devices.errors import Unauthenticated
from devices.models import ApiToken, User
from devices.services.api_tokens import authenticate_api_token


class ApiTokenAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            return None
        if scheme.lower() != "bearer" or not secret.strip():
            raise Unauthenticated("The Authorization header must be: Bearer and an API token.")
        token = authenticate_api_token(secret=secret.strip())
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="gangway"'


class ApiTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = ApiTokenAuthentication
    name = "apiToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}
