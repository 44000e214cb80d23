"""Who makes an API request."""

from rest_framework.request import Request

from devices.errors import Unauthenticated
from devices.models import User


def acting_user(request: Request) -> User:
    """The user behind the request's token. Raises Unauthenticated."""
    if not isinstance(request.user, User):
        raise Unauthenticated()
    return request.user
