"""What all processes count together: in the broker's Valkey, beside its queues and never in their way."""

import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.cache import cache, caches
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from config.counts import Counts
from generation.throttles import FilingThrottle
from governance.errors import PartMissingError
from governance.throttles import UserThrottle

ROOT = Path(__file__).resolve().parent.parent.parent
NOBODY = "unix:///tmp/there-is-no-valkey-here.sock"


def asked(address: str) -> Request:
    return Request(APIRequestFactory().get("/", REMOTE_ADDR=address))


def a_cache(location: str = "") -> Counts:
    options = settings.CACHES["default"]
    return Counts(location or options["LOCATION"], options)


class TestTheSettings:
    def test_count_with_the_broker(self) -> None:
        assert isinstance(caches["default"], Counts)
        assert settings.CACHES["default"]["LOCATION"].removeprefix("unix") in settings.CELERY_BROKER_URL

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"BROKER_URL": "amqp://queue.example"}, "COUNTS_URL is missing, and BROKER_URL is AMQP"),
            ({"COUNTS_URL": "memcached://x"}, "use redis://, rediss://, or `local`"),
            ({"BROKER_URL": "amqp://queue.example", "COUNTS_URL": "local"}, "LocMemCache"),
            ({"BROKER_URL": "rediss://queue.example/3"}, "rediss://queue.example/3"),
        ],
    )
    def test_never_count_apart_without_being_told(
        self, tmp_path: Path, given: dict[str, str], said: str
    ) -> None:
        told = subprocess.run(
            [sys.executable, "-c", "from config import settings; print(settings.CACHES)"],
            cwd=ROOT,
            env={**os.environ, "DATA_DIR": str(tmp_path), **given},
            capture_output=True,
            text=True,
        )
        assert said in told.stdout + told.stderr


class TestCounts:
    def test_are_shared_by_processes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Half of what an address may file it files elsewhere: here the other half is left."""
        monkeypatch.setattr(FilingThrottle, "rate", "4/hour", raising=False)
        address = f"192.0.2.1-{uuid4()}"
        elsewhere = f"""
from django.test import RequestFactory
from generation.throttles import FilingThrottle
FilingThrottle.rate = "4/hour"
said = [FilingThrottle().allows(RequestFactory().get("/", REMOTE_ADDR={address!r})) for _ in range(2)]
print(said)
"""
        told = subprocess.run(
            [sys.executable, "-c", elsewhere],
            cwd=ROOT,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings_test"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert told.stdout == "[True, True]\n"
        assert [FilingThrottle().allows(asked(address)) for _ in range(3)] == [True, True, False]

    def test_are_forgotten_without_the_queues(self) -> None:
        queue = f"a queue {uuid4()}"
        client = a_cache()._cache.get_client(write=True)
        client.lpush(queue, "a job")
        cache.set("mine", [1.5])
        cache.clear()
        assert (cache.get("mine"), client.llen(queue)) == (None, 1)
        client.delete(queue)

    def test_are_json(self) -> None:
        cache.set("mine", [1.5, 2])
        client = a_cache()._cache.get_client()
        assert json.loads(client.get(cache.make_key("mine")) or b"") == [1.5, 2]
        cache.delete("mine")


class TestWithoutABroker:
    @pytest.fixture(autouse=True)
    def down(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for throttle in (FilingThrottle, UserThrottle):
            monkeypatch.setattr(throttle, "rate", "4/hour", raising=False)
            monkeypatch.setattr(throttle, "cache", a_cache(NOBODY))

    def test_goes_on_and_says_so(self, caplog: pytest.LogCaptureFixture) -> None:
        assert UserThrottle().allow_request(asked("192.0.2.1"), None)
        assert "let pass uncounted" in caplog.text

    def test_waits_with_what_needs_no_login(self) -> None:
        with pytest.raises(PartMissingError, match="nothing was done"):
            FilingThrottle().allows(asked("192.0.2.1"))
