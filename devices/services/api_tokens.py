"""Tokens with which programs act as users."""

import logging
from datetime import datetime, timedelta

from devices.errors import InvalidRequest, Unauthenticated
from devices.models import ApiToken, User
from portal.lib.clock import now
from portal.lib.logs import log_event
from portal.lib.tokens import digest, mint

logger = logging.getLogger(__name__)

_LAST_USED_RESOLUTION = timedelta(minutes=1)


def create_api_token(*, user: User, name: str, expires_at: datetime | None = None) -> tuple[ApiToken, str]:
    """A new token and its secret, which is not kept. Raises InvalidRequest for an empty or overlong name."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= 100 or not name.isprintable():
        problem = "A token needs a name of at most 100 printable characters."
        raise InvalidRequest(problem, errors=[{"field": "name", "detail": problem}])
    minted = mint("gwt")
    token = ApiToken.objects.create(
        user=user, name=name, prefix=minted.prefix, digest=minted.digest, expires_at=expires_at
    )
    log_event(logger, "api-token-created", user=user.get_username(), prefix=minted.prefix)
    return token, minted.secret


def authenticate_api_token(*, secret: str) -> ApiToken:
    """The usable token with this secret, its user fetched along. Raises Unauthenticated."""
    moment = now()
    token = ApiToken.objects.usable(moment).filter(digest=digest(secret)).select_related("user").first()
    if token is None:
        raise Unauthenticated("The API token is not valid.")
    if token.last_used_at is None or moment - token.last_used_at > _LAST_USED_RESOLUTION:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=moment)
    return token


def revoke_api_token(*, token: ApiToken) -> bool:
    """False when it was revoked before."""
    changed = ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now())
    if changed:
        log_event(logger, "api-token-revoked", user=token.user.get_username(), prefix=token.prefix)
    return bool(changed)
