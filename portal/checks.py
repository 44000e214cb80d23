"""System checks: bad configuration is found before the first request, and has an id. docs/configuration.md explains
each.
"""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured


@register()
def check_secret_key(**_: Any) -> list[CheckMessage]:
    try:
        length = len(settings.SECRET_KEY)
    except ImproperlyConfigured:
        length = 0
    if length >= 32:
        return []
    return [
        Error(
            "SECRET_KEY is missing, or has fewer than 32 characters.",
            hint="Set SECRET_KEY or SECRET_KEY_FILE; `make run` makes one under DATA_DIR.",
            id="portal.E001",
        )
    ]


@register()
def check_public_url(**_: Any) -> list[CheckMessage]:
    if not settings.PUBLIC_URL:
        return []
    parts = urlsplit(settings.PUBLIC_URL)
    if parts.scheme in {"http", "https"} and parts.netloc and not parts.path and not parts.query:
        return []
    return [
        Error(
            f"PUBLIC_URL is {settings.PUBLIC_URL!r}.", hint="It is like https://portal.example.com.", id="portal.E002"
        )
    ]


@register()
def check_hub_times(**_: Any) -> list[CheckMessage]:
    if settings.HUB_COMPARE_INTERVAL <= settings.HUB_OFFLINE_AFTER * 10:
        return []
    return [
        Warning(
            "HUB_COMPARE_INTERVAL is far longer than HUB_OFFLINE_AFTER.",
            hint="A lost hint is healed by the compare: until then a device keeps an old configuration.",
            id="portal.W001",
        )
    ]


@register(deploy=True)
def check_allowed_hosts(**_: Any) -> list[CheckMessage]:
    if "*" not in settings.ALLOWED_HOSTS:
        return []
    return [Error("ALLOWED_HOSTS lets every host in.", hint="Name the hosts devices and people use.", id="portal.E003")]


@register()
def check_code_lifetime(**_: Any) -> list[CheckMessage]:
    if settings.PROVISIONING_CODE_LIFETIME < settings.ENROLMENT_LIFETIME:
        return []
    return [
        Error(
            "PROVISIONING_CODE_LIFETIME is not shorter than ENROLMENT_LIFETIME.",
            hint="A code must not outlive the enrolment it stands for.",
            id="portal.E004",
        )
    ]


@register()
def check_metrics_token(**_: Any) -> list[CheckMessage]:
    if not settings.METRICS_TOKEN or len(settings.METRICS_TOKEN) >= 16:
        return []
    return [
        Error(
            "METRICS_TOKEN has fewer than 16 characters.",
            hint="It is all that keeps others from reading /metrics: make it long and random.",
            id="portal.E005",
        )
    ]
