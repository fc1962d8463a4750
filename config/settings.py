"""All settings; every value that differs between places comes from the environment."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
import django_stubs_ext
from csp.constants import NONE, SELF
from redis.backoff import NoBackoff
from redis.retry import Retry

from config import embedded
from config.environment import flag, text, whole, words

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
VAR = BASE_DIR / "var"
DEBUG = flag("HEADROOM_DEBUG")
DEMO = flag("HEADROOM_DEMO")

# The demo and the tests bring a key of their own; a system check refuses to deploy with this one.
SECRET_KEY = text("HEADROOM_SECRET_KEY", "not-a-secret-only-for-demo-and-tests")
SECRET_KEY_FALLBACKS = words("HEADROOM_SECRET_KEY_FALLBACKS")
BASE_URL = text("HEADROOM_BASE_URL", "http://localhost:8000").rstrip("/")
ALLOWED_HOSTS = words("HEADROOM_ALLOWED_HOSTS", f"{urlsplit(BASE_URL).hostname},localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = [BASE_URL]
IS_HTTPS = BASE_URL.startswith("https://")

INSTALLED_APPS = [
    "config",
    "usage",
    "billing",
    "tenants",
    *(["demo"] if DEMO else []),
    "simple_history",
    "django_htmx",
    "template_partials",
    "csp",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "config.requests.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.compression.PageGZipMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "tenants.middleware.TenantMiddleware",
    "tenants.zone_middleware.ZoneMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "usage.quotas.middleware.QuotaMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
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
    }
]

# Servers. Without addresses the embedded ones are used, if a supervisor runs them.
_running = embedded.running_urls(VAR / "demo") or {}
DATABASE_URL = text("DATABASE_URL", _running.get("DATABASE_URL", ""))
REDIS_URL = text("REDIS_URL", _running.get("REDIS_URL", ""))
IS_EMBEDDED = flag("HEADROOM_EMBEDDED") or DATABASE_URL in _running.values()
_database: dict[str, Any] = {**dj_database_url.parse(DATABASE_URL or "postgresql://localhost/headroom")}
DATABASES: dict[str, Any] = {
    "default": {
        **_database,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        # Seconds: a server that does not even refuse must not hold a request for minutes.
        "OPTIONS": {"connect_timeout": 3, **_database.get("OPTIONS", {})},
    }
}
CACHES: dict[str, Any] = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL or "redis://localhost:6379/0",
        "KEY_PREFIX": "hc",
        "OPTIONS": {
            "SOCKET_TIMEOUT": 0.5,
            "SOCKET_CONNECT_TIMEOUT": 0.5,
            # redis-py repeats a command that timed out; a cache that is away must cost one wait, not eleven.
            "CONNECTION_POOL_KWARGS": {"retry": Retry(NoBackoff(), 0)},
        },
    }
}
DJANGO_REDIS_IGNORE_EXCEPTIONS = True  # pages go on without their cache

# People
AUTH_USER_MODEL = "tenants.User"
LOGIN_URL = "tenants:sign_in"
LOGIN_REDIRECT_URL = "tenants:home"
LOGOUT_REDIRECT_URL = "tenants:sign_in"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
PASSWORD_RESET_TIMEOUT = 3600 * 24

# Browsers
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = IS_HTTPS
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]  # asked from inside, often without TLS
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = IS_HTTPS
HEADROOM_BEHIND_PROXY = flag("HEADROOM_BEHIND_PROXY")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HEADROOM_BEHIND_PROXY else None
X_FRAME_OPTIONS = "DENY"
DEFAULT_EXCEPTION_REPORTER_FILTER = "config.reports.ReporterFilter"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# Texts, times, files
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = Path(text("HEADROOM_STATIC_ROOT") or VAR / "static")
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG or DEMO
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG or DEMO

# Mail: SMTP by setting; where HEADROOM_MAIL_DIR names a folder, files in it.
MAIL_DIR = text("HEADROOM_MAIL_DIR")
EMAIL_BACKEND = f"django.core.mail.backends.{'filebased' if MAIL_DIR else 'smtp'}.EmailBackend"
EMAIL_FILE_PATH = MAIL_DIR
EMAIL_HOST = text("HEADROOM_SMTP_HOST", "localhost")
EMAIL_PORT = whole("HEADROOM_SMTP_PORT", 25)
EMAIL_HOST_USER = text("HEADROOM_SMTP_USER")
EMAIL_HOST_PASSWORD = text("HEADROOM_SMTP_PASSWORD")
EMAIL_USE_TLS = flag("HEADROOM_SMTP_STARTTLS")
EMAIL_USE_SSL = flag("HEADROOM_SMTP_TLS")
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = text("HEADROOM_FROM_EMAIL", "Headroom <headroom@localhost>")

# Headroom
HEADROOM_DEFAULT_PLAN = text("HEADROOM_DEFAULT_PLAN", "free")
HEADROOM_CURRENCY = text("HEADROOM_CURRENCY", "USD")
HEADROOM_SELF_SERVICE_PLANS = flag(
    "HEADROOM_SELF_SERVICE_PLANS"
)  # owners change among public plans themselves
HEADROOM_TENANT_RESOLVER = text("HEADROOM_TENANT_RESOLVER")  # dotted path: request -> slug or None
HEADROOM_RATELIMIT_HEADERS = text("HEADROOM_RATELIMIT_HEADERS", "ietf")  # or "none"
HEADROOM_PATH_RULES: list[dict[str, Any]] = []  # [{"path": "/v1/", "metric": "api_calls", "amount": 1}]
HEADROOM_OPS_EMAIL = words("HEADROOM_OPS_EMAIL")
HEADROOM_OPS_SLACK_URL = text("HEADROOM_OPS_SLACK_URL")
# Lets webhooks go to plain http and to private addresses: for tests, the demo, and networks without tenants to fear.
HEADROOM_WEBHOOK_ALLOW_PRIVATE = flag("HEADROOM_WEBHOOK_ALLOW_PRIVATE")
HEADROOM_KEEP_HOURS = timedelta(days=whole("HEADROOM_KEEP_HOURS", 92))
# After a period's end, before its statement is issued: longer than what is held in an outage may come late.
HEADROOM_CLOSE_GRACE = timedelta(minutes=whole("HEADROOM_CLOSE_GRACE", 60))
HEADROOM_REDIS_DEADLINE = (
    whole("HEADROOM_REDIS_DEADLINE_MS", 100) / 1000
)  # seconds for one decision, resend included
HEADROOM_REPORT_SECONDS = whole("HEADROOM_REPORT_SECONDS", 5)  # between what a process adds to /metrics
HEADROOM_METRICS_TOKEN = text("HEADROOM_METRICS_TOKEN")  # a bearer of it reads /metrics; staff always may
HEADROOM_REDIS_URL = REDIS_URL or "redis://localhost:6379/0"


def _broker(url: str) -> str:
    """The same Redis, its next database: a flush of one must not empty the other's queue."""
    stem, _, database = url.rpartition("/")
    return f"{stem}/{int(database) + 1}" if database.isdecimal() else f"{url.rstrip('/')}/1"


CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A worker that dies gives its task back after this; nothing depends on it, beat rings again anyway.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    # Who hands a task over waits seconds at most when the broker is away; workers reconnect by themselves.
    "max_retries": 1,
    "interval_start": 0,
    "socket_connect_timeout": 2,
}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_URL = text("HEADROOM_BROKER_URL") or _broker(HEADROOM_REDIS_URL)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "config.requests.RequestIdFilter"}},
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_id"]},
    },
    "root": {"handlers": ["console"], "level": text("HEADROOM_LOG_LEVEL", "INFO")},
    "loggers": {"django": {"handlers": [], "propagate": True}},
}
