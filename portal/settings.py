"""The one settings module, for every environment. All that differs is read from the environment: docs/configuration.md.

Every default runs on one machine without any server. What is wrong is reported by the system checks in
portal/checks.py.
"""

from pathlib import Path
from typing import Any

import dj_database_url
from whitenoise.compress import Compressor

from portal.lib.env import ConfigurationError, Environment

env = Environment()

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.text("DATA_DIR", str(BASE_DIR / "var"))).resolve()
DEBUG = env.boolean("DEBUG")


def _state(name: str) -> str:
    """What `make run` left for the commands that work beside it, or nothing."""
    try:
        return (DATA_DIR / name).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


SECRET_KEY = env.secret("SECRET_KEY") or _state("secret-key")

# Where the portal is reached. PUBLIC_URL goes into what devices and people are sent; empty means: as the request came.
PORT = env.integer("PORT", 8000, minimum=1, maximum=65535)
HOST = env.text("HOST", "127.0.0.1")
PUBLIC_URL = env.text("PUBLIC_URL").rstrip("/")
ALLOWED_HOSTS = env.items("ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]"))
CSRF_TRUSTED_ORIGINS = env.items("CSRF_TRUSTED_ORIGINS", (PUBLIC_URL,) if PUBLIC_URL else ())
# How many proxies in front append to X-Forwarded-For and set X-Forwarded-Proto; 0 believes neither.
TRUSTED_PROXIES = env.integer("TRUSTED_PROXIES", 0, minimum=0, maximum=10)

INSTALLED_APPS = [
    "daphne",
    "devices",
    "twins",
    "provisioning",
    "portal",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "template_partials",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "portal.middleware.request_id",
    "django.middleware.security.SecurityMiddleware",
    "portal.middleware.content_security_policy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    # For Content-Length: chunked answers are lost on small clients.
    "django.middleware.common.CommonMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "portal.urls"
ASGI_APPLICATION = "portal.asgi.application"
WSGI_APPLICATION = "portal.wsgi.application"
# Devices' clients are matched against URLs letter by letter; a redirect would lose their POST.
APPEND_SLASH = False

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Database ---------------------------------------------------------------------------------------------------------
# How many database connections one process may hold for work that comes from sockets (portal/lib/aio.py).
DATABASE_THREADS = env.integer("DATABASE_THREADS", 8, minimum=1, maximum=64)


def _database() -> dict[str, Any]:
    url = env.secret("DATABASE_URL", f"sqlite:///{DATA_DIR / 'gangway.sqlite3'}")
    try:
        config: dict[str, Any] = dict(dj_database_url.parse(url))
    except (dj_database_url.ParseError, dj_database_url.UnknownSchemeError, ValueError):
        # The URL holds a password: it is not repeated.
        raise ConfigurationError(
            "DATABASE_URL must look like postgres://user:password@host/name or sqlite:///path."
        ) from None
    options = config.setdefault("OPTIONS", {})
    if config["ENGINE"].endswith("sqlite3"):
        # Writers take the lock at BEGIN and wait for it, instead of failing half-way when two have read before writing.
        options.update(
            transaction_mode="IMMEDIATE",
            timeout=20,
            init_command="PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16000;",
        )
        config["CONN_MAX_AGE"] = None
        config["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
    elif config["ENGINE"].endswith("postgresql"):
        # On ASGI each request has a thread of its own: only a pool keeps the number of connections bounded.
        options["pool"] = {"min_size": 1, "max_size": DATABASE_THREADS * 2 + 4, "timeout": 20}
    else:
        raise ConfigurationError("DATABASE_URL must name PostgreSQL (postgres://…) or SQLite (sqlite:///…).")
    return config


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Redis: channel layer, cache, Celery's broker ---------------------------------------------------------------------
REDIS_URL = env.secret("REDIS_URL") or _state("redis-url") or "redis://127.0.0.1:6379/0"
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "gangway"},
    },
}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "gangway",
    },
}

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "gangway"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Every task may be repeated: what a lost broker connection interrupts is done again.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "expire-provisioning-codes": {"task": "provisioning.tasks.expire_codes_task", "schedule": 30.0},
    # Also windows nobody came in, and operations nobody decided on.
    "expire-enrolments": {"task": "provisioning.tasks.expire_enrolments_task", "schedule": 60.0},
    "note-expired-tokens": {"task": "provisioning.tasks.note_expired_tokens_task", "schedule": 300.0},
    "purge-enrolments": {"task": "provisioning.tasks.purge_enrolments_task", "schedule": 3600.0},
    "purge-history": {"task": "devices.tasks.purge_history_task", "schedule": 3600.0},
    "destroy-unconfirmed": {"task": "provisioning.tasks.destroy_unconfirmed_task", "schedule": 60.0},
    "purge-codes": {"task": "provisioning.tasks.purge_codes_task", "schedule": 3600.0},
    "purge-entry-counts": {"task": "provisioning.tasks.purge_entry_counts_task", "schedule": 3600.0},
    "close-abandoned-sessions": {"task": "devices.tasks.close_abandoned_sessions_task", "schedule": 30.0},
}

# --- People and security ----------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "devices.User"
LOGIN_URL = "console:login"
LOGIN_REDIRECT_URL = "console:home"
LOGOUT_REDIRECT_URL = "console:login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "gangway_session"
CSRF_COOKIE_NAME = "gangway_csrf"
# Cookies are kept to TLS as soon as the portal is known to be reached through it.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https://")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024

# --- HTTP APIs --------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["portal.api.authentication.ApiTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["portal.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "portal.problems.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Gangway",
    "DESCRIPTION": "Device provisioning and management. Errors are RFC 9457 problems; docs/errors.md lists them.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": [],
}

# --- Pages ------------------------------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
# Source maps are for debugging; compressing them is most of the work of a first start.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = (*Compressor.SKIP_COMPRESS_EXTENSIONS, "map")
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": DATA_DIR / "files"}},
    "staticfiles": {
        "BACKEND": (
            "django.contrib.staticfiles.storage.StaticFilesStorage"
            if DEBUG
            else "whitenoise.storage.CompressedManifestStaticFilesStorage"
        )
    },
}
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

# --- Provisioning (docs/configuration.md) -----------------------------------------------------------------------------
PROVISIONING_CODE_LIFETIME = env.integer("PROVISIONING_CODE_LIFETIME", 300, minimum=30, maximum=3600)  # seconds
PROVISIONING_CODES_PER_LIFETIME = env.integer("PROVISIONING_CODES_PER_LIFETIME", 3, minimum=1, maximum=100)
ENROLMENT_LIFETIME = env.integer("ENROLMENT_LIFETIME", 24 * 3600, minimum=300)  # seconds a silent device stays waiting
OPERATION_LIFETIME = env.integer("OPERATION_LIFETIME", 3600, minimum=60, maximum=30 * 24 * 3600)  # seconds to decide
OPERATIONS_PER_TOKEN = env.integer("OPERATIONS_PER_TOKEN", 1000, minimum=1)  # that wait with one token
# Devices a tenant may let in before they come; serial numbers are no secrets, and are not to be taken by the million.
ACTIVATION_WINDOWS_PER_TENANT = env.integer("ACTIVATION_WINDOWS_PER_TENANT", 10_000, minimum=1)
# Days after which ended enrolments, and rows of the history, are deleted; 0: never.
ENROLMENT_RETENTION_DAYS = env.integer("ENROLMENT_RETENTION_DAYS", 90, minimum=0)
HISTORY_RETENTION_DAYS = env.integer("HISTORY_RETENTION_DAYS", 400, minimum=0)
# Seconds in which a device with a key or token is given the same credentials again, until it confirms.
CONFIRMATION_WINDOW = env.integer("CONFIRMATION_WINDOW", 900, minimum=30, maximum=86400)
CREDENTIAL_GRACE = env.integer("CREDENTIAL_GRACE", 7 * 86400, minimum=60)  # seconds a rotated secret still works
POLL_INTERVAL = env.integer("POLL_INTERVAL", 5, minimum=1, maximum=3600)  # seconds, told to devices
POLL_MINIMUM_INTERVAL = env.integer("POLL_MINIMUM_INTERVAL", 1, minimum=0, maximum=60)  # seconds; 0: no limit
POLL_WAIT_MAXIMUM = env.integer("POLL_WAIT_MAXIMUM", 60, minimum=1, maximum=600)  # seconds
DEVICE_MISSES_PER_MINUTE = env.integer("DEVICE_MISSES_PER_MINUTE", 30, minimum=1)  # unknown codes polled, a network
ENROLMENTS_PER_MINUTE = env.integer("ENROLMENTS_PER_MINUTE", 600, minimum=1)  # begun from one network
# The chance a day that all guessing together hits one code: what people may enter is computed from it.
GUESS_HIT_CHANCE = env.fraction("GUESS_HIT_CHANCE", 1e-4, minimum=1e-9, maximum=0.1)
# The Bearer token for GET /metrics; without one there is no such page.
METRICS_TOKEN = env.secret("METRICS_TOKEN")

# --- Hub --------------------------------------------------------------------------------------------------------------
HUB_HEARTBEAT = env.integer("HUB_HEARTBEAT", 30, minimum=1, maximum=600)  # seconds
HUB_PROCESS_LEASE = env.integer(
    "HUB_PROCESS_LEASE", 30, minimum=3, maximum=600
)  # seconds until a silent process is in doubt
HUB_OFFLINE_AFTER = env.integer("HUB_OFFLINE_AFTER", 60, minimum=5, maximum=3600)  # seconds from doubt to offline
HUB_COMPARE_INTERVAL = env.integer(
    "HUB_COMPARE_INTERVAL", 30, minimum=1, maximum=3600
)  # seconds between version compares
HUB_FRAME_LIMIT = 64 * 1024  # bytes, part of the protocol
HUB_FRAMES_PER_SECOND = env.integer("HUB_FRAMES_PER_SECOND", 50, minimum=1)  # a connection, averaged over ten seconds

# --- Logging ----------------------------------------------------------------------------------------------------------
LOG_FORMAT = env.choice("LOG_FORMAT", "text", ("text", "json"))
LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "portal.lib.logs.TextFormatter"},
        "json": {"()": "portal.lib.logs.JsonFormatter"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        **{name: {"level": LOG_LEVEL} for name in ("portal", "devices", "twins", "provisioning")},
        # A refused request is the client's affair; what the portal decided is logged by the portal.
        "django.request": {"level": "ERROR"},
        "celery": {"level": "WARNING"},
    },
}
