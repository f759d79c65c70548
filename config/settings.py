"""Settings: one file, read from the environment; a wrong value stops the start with a sentence."""

import secrets
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from environ import Env

from config import embedded
from config.command_lines import makes_no_installation
from lib.secrets import load_or_create_secret

BASE_DIR = Path(__file__).resolve().parent.parent
env = Env()


def _flag(name: str, default: bool) -> bool:
    value = env.str(name, default="true" if default else "false").strip().lower()
    if value not in {"true", "false", "1", "0", "yes", "no"}:
        raise ImproperlyConfigured(f"{name} is {value!r}: use true or false.")
    return value in {"true", "1", "yes"}


def _number(name: str, default: float, kind: type[int] | type[float]) -> Any:
    raw = env.str(name, default="").strip()
    try:
        number = kind(raw or default)
    except ValueError:
        number = kind(-1)
    if not number >= 0:
        raise ImproperlyConfigured(f"{name} is {raw!r}: use a number that is not negative.")
    return number


def _log_level(default: str) -> str:
    level = env.str("LOG_LEVEL", default="").strip().upper() or default
    if level not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
        raise ImproperlyConfigured(f"LOG_LEVEL is {level!r}: use DEBUG, INFO, WARNING, ERROR or CRITICAL.")
    return level


def _folder(name: str, default: Path) -> Path:
    raw = env.str(name, default="")
    return Path(raw).expanduser().resolve() if raw else default


DATA_DIR = _folder("DATA_DIR", BASE_DIR / "var")
DEBUG = _flag("DEBUG", False)
# A command that needs no installation, as verify_report on somebody else's machine, makes none.
SECRET_KEY = env.str("SECRET_KEY", default="") or (
    secrets.token_urlsafe(48)
    if makes_no_installation(sys.argv)
    else load_or_create_secret(DATA_DIR / "secret_key")
)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]", "testserver"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "django_filters",
    "django_htmx",
    "template_partials",
    "governance",
    "provenance",
    "generation",
    "audit",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "config.security.ContentSecurityPolicyMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
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
                "governance.context.navigation",
            ]
        },
    }
]


def _beginning(scheme: str) -> str:
    return f"starts with {scheme!r}" if scheme else "starts with no scheme"


def _database() -> dict[str, Any]:
    url = env.str("DATABASE_URL", default="")
    if not url:
        return embedded.postgres_settings(DATA_DIR)
    scheme = urlsplit(url).scheme
    if scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(
            f"DATABASE_URL {_beginning(scheme)}: Liner Notes keeps its records in PostgreSQL only. "
            "Write postgresql://USER:PASSWORD@HOST:PORT/NAME, or unset it to use the embedded server."
        )
    try:
        database: dict[str, Any] = dict(Env.db_url_config(url))
    except ValueError as error:
        raise ImproperlyConfigured(
            "DATABASE_URL can't be read: the port must be a number, and what is special in a name or password "
            "must be percent-encoded (@ is %40, / is %2F, : is %3A)."
        ) from error
    if not database.get("NAME"):
        raise ImproperlyConfigured("DATABASE_URL names no database: end it with /NAME.")
    database["ENGINE"] = "django.db.backends.postgresql"
    return database


DATABASES = {"default": {**_database(), "ATOMIC_REQUESTS": False}}
DATABASES["default"].setdefault("CONN_HEALTH_CHECKS", True)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "governance.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"


def _broker() -> str:
    url = env.str("BROKER_URL", default="")
    if not url:
        return embedded.broker_url(DATA_DIR)
    if urlsplit(url).scheme not in {"redis", "rediss", "redis+socket", "amqp", "amqps"}:
        raise ImproperlyConfigured(
            f"BROKER_URL {_beginning(urlsplit(url).scheme)}: use redis://, rediss:// or amqp://, "
            "or unset it to use the embedded Valkey."
        )
    return str(url)


CELERY_BROKER_URL = _broker()
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {"generation.tasks.*": {"queue": "gpu"}}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600}


def _storage() -> dict[str, Any]:
    url = env.str("STORAGE_URL", default="")
    if not url:
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(DATA_DIR / "media"), "directory_permissions_mode": 0o700},
        }
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.path.startswith("/"):
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": parts.path, "directory_permissions_mode": 0o700},
        }
    if parts.scheme == "s3" and parts.netloc:
        if find_spec("boto3") is None:
            raise ImproperlyConfigured(
                "STORAGE_URL leads to S3, which needs the extra s3: run `.venv/bin/python -m uv pip install "
                "--constraint constraints.txt --requirement pyproject.toml --extra s3`."
            )
        return {
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": {"bucket_name": parts.netloc, "location": parts.path.strip("/")},
        }
    raise ImproperlyConfigured(
        f"STORAGE_URL is {url!r}: write file:///FOLDER or s3://BUCKET/PREFIX, or unset it to keep audio in DATA_DIR."
    )


STORAGES = {
    "default": _storage(),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
STATIC_URL = "/static/"
STATIC_ROOT = _folder("STATIC_ROOT", BASE_DIR / "staticfiles")
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True

INDEX_DIR = DATA_DIR / "indexes"
CHECKPOINT_DIR = DATA_DIR / "checkpoints"
REPORT_DIR = DATA_DIR / "reports"
KEY_DIR = DATA_DIR / "keys"
UPLOAD_MAX_BYTES = _number("UPLOAD_MAX_BYTES", 200_000_000, int)
DATA_UPLOAD_MAX_MEMORY_SIZE = 10_000_000

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "knox.auth.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
    "PAGE_SIZE": 50,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": [
        "governance.throttles.AnonThrottle",
        "governance.throttles.UserThrottle",
        "governance.throttles.ScopedThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {
        "anon": "60/min",
        "user": "600/min",
        "login": "10/min",
        "check": "60/min",
        "case_filing": "20/hour",
        "case_following": "30/min",
    },
    "NUM_PROXIES": _number("NUM_PROXIES", 0, int),
    "EXCEPTION_HANDLER": "config.exceptions.api_exception_handler",
}
REST_KNOX = {"TOKEN_TTL": None, "AUTO_REFRESH": False}
SPECTACULAR_SETTINGS = {
    "TITLE": "Liner Notes",
    "DESCRIPTION": "Registers, clears, checks and audits what generative music models are trained on.",
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "OAS_VERSION": "3.1.0",
    "ENUM_NAME_OVERRIDES": {
        "DatasetKindEnum": "provenance.models.DatasetKind",
        "RecordingKindEnum": "provenance.models.RecordingKind",
        "RightEnum": "provenance.models.Right",
        "ClaimedRightEnum": "provenance.models.ClaimedRight",
        "ReservedRightEnum": "provenance.models.ReservedRight",
        "StatementSourceEnum": "provenance.models.StatementSource",
        "ReservationSourceEnum": "provenance.models.ReservationSource",
        "JobStateEnum": "governance.models.JobState",
        "GenerationStateEnum": "generation.models.GenerationState",
        "TrainingRunStateEnum": "generation.models.TrainingRunState",
        "CaseKindEnum": "generation.models.CaseKind",
        "CaseStateEnum": "generation.models.CaseState",
        "EvidenceKindEnum": "provenance.models.EvidenceKind",
        "ClearanceAnswerEnum": "provenance.rights.values.ANSWERS",
        "PurposeEnum": "provenance.rights.values.PURPOSES",
        "KindsEnum": "generation.pipeline.KINDS",
        "MatchAnswerEnum": "generation.models.MatchAnswer",
        "RowStatusEnum": "provenance.serializers.grants.ROW_STATUSES",
    },
}


def _counts() -> dict[str, Any]:
    """Return where all processes count requests together: with the broker, in Redis' protocol."""
    url = env.str("COUNTS_URL", default="") or CELERY_BROKER_URL
    if url == "local":
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    if urlsplit(url).scheme in {"amqp", "amqps"}:
        raise ImproperlyConfigured(
            "COUNTS_URL is missing, and BROKER_URL is AMQP, with which nothing can be counted: name a Redis or Valkey "
            "(redis://… or rediss://…), or write `local` to let each process count for itself."
        )
    if urlsplit(url).scheme not in {"redis", "rediss", "redis+socket"}:
        raise ImproperlyConfigured(
            f"COUNTS_URL {_beginning(urlsplit(url).scheme)}: use redis://, rediss://, or `local` to let each process "
            "count for itself; unset it to count with the broker."
        )
    return {
        "BACKEND": "config.counts.Counts",
        "LOCATION": url.replace("redis+socket://", "unix://", 1),
        "KEY_PREFIX": "liner-notes",
        "OPTIONS": {"serializer": "config.counts.Json", "socket_connect_timeout": 1, "socket_timeout": 1},
    }


CACHES = {"default": _counts()}

TIME_ZONE = "UTC"
USE_TZ = True
LANGUAGE_CODE = "en-gb"
USE_I18N = False

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _flag("HTTPS", False)
SECURE_SSL_REDIRECT = False
SESSION_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {name: {"level": "ERROR"} for name in ("weasyprint", "fontTools")},
    "root": {"handlers": ["stderr"], "level": _log_level("WARNING")},
}


def _false_alarm_target(name: str, usual: float) -> float:
    share = float(_number(name, usual, float))
    if not 1e-5 <= share <= 0.1:
        raise ImproperlyConfigured(f"{name} is {share:g}: use a share of outputs between 0.00001 and 0.1.")
    return share


FALSE_ALARM_TARGET = _false_alarm_target("FALSE_ALARM_TARGET", 0.001)
COMPOSITION_FALSE_ALARM_TARGET = _false_alarm_target("COMPOSITION_FALSE_ALARM_TARGET", 0.01)
CALIBRATION_EXCERPTS = _number("CALIBRATION_EXCERPTS", 130, int)  # of each length; 0 measures nothing


def _style_model() -> str:
    """Return which music embedding likeness of style is heard with: docs/style.md."""
    named = env.str("STYLE_MODEL", default="").strip() or "musicnn"
    if named in {"musicnn", "none"}:
        return named
    folder = Path(named).expanduser().resolve()
    if not folder.is_dir():
        raise ImproperlyConfigured(
            f"STYLE_MODEL is {named!r}: use musicnn, none, or the folder of a model as docs/style.md says."
        )
    return str(folder)


STYLE_MODEL = _style_model()

WATTS_PER_CPU = _number(
    "WATTS_PER_CPU", 15.0, float
)  # for the energy estimate: an assumption, stated beside it
