"""Settings for the tests: real PostgreSQL and Valkey, a fast password hasher, no throttles."""

import os
import tempfile

# Before the settings are read: a folder of this run's own, never the caller's; xdist's workers inherit it.
os.environ["DATA_DIR"] = os.environ.setdefault(
    "TEST_DATA_DIR", os.path.join(tempfile.gettempdir(), f"liner-notes-tests-{os.getpid()}")
)
os.environ["SECRET_KEY"] = "known to everybody, and only for tests"  # noqa: S105

from config.settings import *  # noqa: F403
from config.settings import REST_FRAMEWORK

WHITENOISE_AUTOREFRESH = True  # else every test client lists all static files anew
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
REST_FRAMEWORK = {
    **REST_FRAMEWORK,
    "DEFAULT_THROTTLE_RATES": {"anon": None, "user": None, "login": None, "check": None},
}
