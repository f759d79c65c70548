"""The page to sign in: guessed at no more often than the API, and by the same count."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from rest_framework.throttling import SimpleRateThrottle

from config.counts import Counts
from governance.models import User

pytestmark = pytest.mark.django_db
PASSWORD = "a long way to the sea"


@pytest.fixture(autouse=True)
def ana(monkeypatch: pytest.MonkeyPatch) -> Iterator[User]:
    rates = {**SimpleRateThrottle.THROTTLE_RATES, "login": "3/min"}
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", rates)
    cache.clear()
    yield User.objects.create_user("ana", password=PASSWORD)
    cache.clear()


def tried(password: str, *, name: str = "ana", address: str = "192.0.2.1") -> tuple[int, str]:
    answer = Client(REMOTE_ADDR=address).post(reverse("login"), {"username": name, "password": password})
    return answer.status_code, answer.content.decode()


class TestSigningIn:
    def test_is_tried_only_so_often_at_one_name(self) -> None:
        assert [tried(f"wrong {n}", address=f"192.0.2.{n}")[0] for n in range(3)] == [200, 200, 200]
        status, said = tried(PASSWORD, address="192.0.2.9")
        assert (status, "Too many attempts" in said, 'value="ana"' in said) == (429, True, True)
        assert said.replace(PASSWORD, "") == said
        assert "do not belong together" not in tried("wrong", address="192.0.2.10")[1]

    def test_is_tried_only_so_often_from_one_address(self) -> None:
        assert [tried("wrong", name=f"name {n}")[0] for n in range(4)] == [200, 200, 200, 429]

    def test_counts_with_the_api(self) -> None:
        for n in range(2):
            assert tried("wrong", address=f"192.0.2.{n}")[0] == 200
        api = Client(REMOTE_ADDR="192.0.2.8", headers={"authorization": "Basic YW5hOndyb25n"})  # ana:wrong
        assert api.post("/api/v1/tokens/login/").status_code == 401
        assert tried(PASSWORD)[0] == 429

    def test_lets_in_with_the_right_words(self) -> None:
        assert tried(PASSWORD)[0] == 302

    def test_waits_while_nothing_can_be_counted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        nobody = Counts("unix:///tmp/nobody-is-here.sock", settings.CACHES["default"])
        monkeypatch.setattr(SimpleRateThrottle, "cache", nobody)
        assert Client().get(reverse("login")).status_code == 200
        status, said = tried(PASSWORD)
        assert (status, "nothing was done" in said) == (503, True)
