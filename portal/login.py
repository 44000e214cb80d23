"""Logging in, on the Console and in the admin: so many wrong passwords for one name from one network, and no more.

Counted per network, so that nobody can keep a person out by guessing in their name.
"""

from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError

from portal.lib.network import request_address
from portal.lib.throttle import count, counted

ATTEMPTS = 10
WINDOW = 300  # seconds
_SENTENCE = "Too many wrong passwords. Wait five minutes, then try again."


class LimitedAuthenticationForm(AuthenticationForm):
    """Django's form, which stops looking at passwords after ten wrong ones in five minutes."""

    def clean(self) -> dict[str, Any]:
        key = self._key()
        if counted(key) >= ATTEMPTS:
            raise ValidationError(_SENTENCE, code="too-many-requests")
        try:
            return super().clean()
        except ValidationError:
            count(key, window=WINDOW)
            raise

    def _key(self) -> str:
        network = request_address(self.request.META) if self.request is not None else None
        return f"logins:{network}:{self.data.get('username', '').lower()[:150]}"


class LimitedAdminAuthenticationForm(AdminAuthenticationForm, LimitedAuthenticationForm):
    """The same for the admin, which lets only staff in."""
