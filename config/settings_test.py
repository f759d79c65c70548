"""Settings for the tests: real PostgreSQL and Valkey, a fast password hasher, no throttles."""

import os
import tempfile

# Before the settings are read: a folder of this run's own, never the caller's; xdist's workers inherit it.
os.environ["DATA_DIR"] = os.environ.setdefault(
    "TEST_DATA_DIR", os.path.join(tempfile.gettempdir(), f"liner-notes-tests-{os.getpid()}")
)
os.environ["SECRET_KEY"] = "known to everybody, and only for tests"  # noqa: S105

from config.settings import *  # noqa: F403
from config.settings import CACHES, REST_FRAMEWORK

CALIBRATION_EXCERPTS = 0  # whoever tests calibration asks for a few
STYLE_MODEL = "none"  # a network over every sound: whoever tests style chooses one
WHITENOISE_AUTOREFRESH = True  # else every test client lists all static files anew
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
REST_FRAMEWORK = {
    **REST_FRAMEWORK,
    "DEFAULT_THROTTLE_RATES": dict.fromkeys(REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]),
}
# xdist's workers have one Valkey and must not count together.
CACHES = {"default": {**CACHES["default"], "KEY_PREFIX": os.environ.get("PYTEST_XDIST_WORKER", "tests")}}
