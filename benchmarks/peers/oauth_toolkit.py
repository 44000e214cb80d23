"""django-oauth-toolkit's device grant (RFC 8628) as a small project of its own; gunicorn imports `application`.

`python oauth_toolkit.py N` makes the tables and N pending device codes.
"""

import os
import sys
from datetime import UTC, datetime, timedelta

import dj_database_url
import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import include, path

CLIENT = "benchmark"

settings.configure(
    SECRET_KEY="benchmarks only",  # noqa: S106
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": dj_database_url.parse(os.environ["DATABASE_URL"], conn_max_age=600)},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
    USE_TZ=True,
    OAUTH2_PROVIDER={"SCOPES": {"read": "Read"}, "OAUTH_DEVICE_VERIFICATION_URI": "http://127.0.0.1/device"},
)
django.setup()

urlpatterns = [path("o/", include("oauth2_provider.urls", namespace="oauth2_provider"))]
application = get_wsgi_application()


def prepare(count: int) -> None:
    from django.core.management import call_command
    from oauth2_provider.models import get_application_model, get_device_grant_model

    call_command("migrate", verbosity=0)
    get_application_model().objects.create(
        name=CLIENT,
        client_id=CLIENT,
        client_type="public",
        authorization_grant_type="urn:ietf:params:oauth:grant-type:device_code",
    )
    grant = get_device_grant_model()
    expires = datetime.now(UTC) + timedelta(days=1)
    rows = (
        grant(
            device_code=f"device-code-{number}",
            user_code=f"U{number:07d}",
            scope="read",
            interval=0,
            expires=expires,
            status=grant.AUTHORIZATION_PENDING,
            client_id=CLIENT,
        )
        for number in range(count)
    )
    grant.objects.bulk_create(rows, batch_size=1000)


if __name__ == "__main__":
    prepare(int(sys.argv[1]))
