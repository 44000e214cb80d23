"""Users of the portal and the tokens their programs use."""

import uuid
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q


class User(AbstractUser):
    """A person with a login. What they may do in a tenant is their Membership; `is_staff` opens the support admin."""


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def usable(self, moment: datetime) -> "ApiTokenQuerySet":
        """Neither revoked nor expired, of a user who may still log in."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=moment), revoked_at=None, user__is_active=True)


class ApiToken(models.Model):
    """A secret with which a program acts as a user on the management API. Only its digest is kept; it is shown once."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
