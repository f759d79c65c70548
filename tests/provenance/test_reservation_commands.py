"""The commands of opt-outs and memos as other programs see them, and fetching with its guards."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from provenance.errors import ProvenanceError
from provenance.fetching import ForbiddenAddressError, UnreachableError, addresses_to_ask, fetch
from provenance.models import DatasetEntry, ExceptionMemo, Reservation
from provenance.rights.optouts.findings import MAX_BYTES
from tests.catalogues import run
from tests.people import People, a_dataset, found_people

pytestmark = pytest.mark.django_db
SITE = "https://label.example"
STEWARD = ("--as", "data_steward")
OFFICER = ("--as", "compliance_officer")
RESERVED = b"User-agent: GPTBot\nDisallow: /\n"


@pytest.fixture(autouse=True)
def people() -> People:
    people = found_people()
    a_dataset(people.steward, people.house)
    DatasetEntry.objects.update(source_url=f"{SITE}/a.mp3")
    return people


@pytest.fixture
def robots(tmp_path: Path) -> Path:
    path = tmp_path / "robots.txt"
    path.write_bytes(RESERVED)
    return path


def cleared(*more: str) -> dict[str, int]:
    summary = run("clear_dataset", "folk", "--purpose", "ai_generative_training", *STEWARD, *more).summary
    return {answer: summary[answer] for answer in ("allowed", "not_allowed")}


class TestRegisterReservations:
    def test_closes_in_the_real_command_from_the_day_it_was_fetched(self, robots: Path) -> None:
        ran = run(
            "register_reservations",
            robots,
            "--url",
            f"{SITE}/robots.txt",
            "--fetched-at",
            "2026-03-10",
            *STEWARD,
        )

        assert (ran.code, ran.summary["registered"], ran.summary["recordings"]) == (0, 1, 2)
        (line,) = ran.lines[0]["reservations"]
        assert (line["source"], line["declared_at"]) == ("robots", "2026-03-10T00:00:00+00:00")
        assert cleared("--at", "2026-03-09") == {"allowed": 2, "not_allowed": 0}
        assert cleared("--at", "2026-03-11") == {"allowed": 0, "not_allowed": 2}

    @pytest.mark.parametrize(
        ("more", "words"),
        [
            (("--url", "label.example"), "address"),
            (("--url", f"{SITE}/x", "--kind", "tdmrep"), "not JSON"),
            (("--url", f"{SITE}/robots.txt", "--fetched-at", "2999-01-01"), "future"),
        ],
    )
    def test_rejects_and_says_why(self, robots: Path, more: tuple[str, ...], words: str) -> None:
        ran = run("register_reservations", robots, *more, *STEWARD)

        assert ran.code == 1
        assert words in ran.lines[0]["reasons"][0]

    def test_ends_with_2_where_nothing_can_be_read(self, tmp_path: Path, robots: Path) -> None:
        assert run("register_reservations", tmp_path / "nowhere", *STEWARD).code == 2
        assert run("register_reservations", robots, "--fetched-at", "yesterday", *STEWARD).code == 2
        assert run("register_reservations", robots, "--as", "ml_engineer").code == 2
        assert not Reservation.objects.exists()


class TestWithdrawReservation:
    def test_takes_an_officer(self, robots: Path) -> None:
        run("register_reservations", robots, "--url", f"{SITE}/robots.txt", *STEWARD)
        public_id = str(Reservation.objects.get().public_id)

        assert run("withdraw_reservation", public_id, "--reason", "Agreed.").code == 2
        ran = run("withdraw_reservation", public_id, "--reason", "Agreed.", *OFFICER)
        assert (ran.code, ran.last["recordings"]) == (0, 2)
        assert cleared() == {"allowed": 2, "not_allowed": 0}

    @pytest.mark.parametrize("name", ["5", "0198c1a2-0000-7000-8000-000000000000"])
    def test_knows_no_other(self, name: str) -> None:
        assert "no such opt-out" in run("withdraw_reservation", name, "--reason", "x", *OFFICER).err


class TestRegisterMemo:
    ASKED = (
        *("--provision", "Directive (EU) 2019/790, Article 3", "--signed-by", "Dr Ada Counsel"),
        *("--lawful-access", "Subscription", "--purpose", "data_mining", "--dataset", "folk"),
        *("--territory", "EU"),
    )

    def test_records_and_ends_a_memo(self, tmp_path: Path) -> None:
        letter = tmp_path / "memo.pdf"
        letter.write_bytes(b"%PDF signed")
        ran = run("register_memo", *self.ASKED, "--document", letter, *OFFICER)

        assert (ran.code, ran.last["recordings"]) == (0, 2)
        memo = ExceptionMemo.objects.get()
        assert memo.document is not None
        assert memo.document.confidential
        assert run("withdraw_memo", str(memo.public_id), "--reason", "Read again.", *OFFICER).code == 0
        memo.refresh_from_db()
        assert memo.withdrawal_reason == "Read again."

    def test_is_nothing_for_the_system_user(self) -> None:
        assert run("register_memo", *self.ASKED).code == 2
        assert not ExceptionMemo.objects.exists()


class Site(BaseHTTPRequestHandler):
    """A site on this machine: what it answers is written beside each path."""

    answers: dict[str, tuple[int, dict[str, str], bytes]] = {}

    def do_GET(self) -> None:
        status, headers, body = self.answers.get(self.path, (404, {}, b"Not here"))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setattr(Site, "answers", {})
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def private_too(settings: Any) -> None:
    settings.FETCH_PRIVATE_ADDRESSES = True


@pytest.mark.usefixtures("private_too")
class TestFetchReservations:
    def test_records_what_a_site_publishes(self, site: str) -> None:
        tdmrep = json.dumps([{"location": "/", "tdm-reservation": 1}]).encode()
        Site.answers = {"/robots.txt": (200, {}, RESERVED), "/.well-known/tdmrep.json": (200, {}, tdmrep)}
        ran = run("fetch_reservations", site, *STEWARD)

        assert ran.code == 0
        assert [line["status"] for line in ran.lines] == ["registered", "registered", "absent"]
        assert {held.source for held in Reservation.objects.all()} == {"robots", "tdmrep_file"}

    def test_reads_the_headers_of_a_sound_file_and_not_its_bytes(self, site: str) -> None:
        Site.answers = {
            "/a.mp3": (200, {"TDM-Reservation": "1", "Content-Type": "audio/mpeg"}, b"x" * (MAX_BYTES + 1))
        }
        ran = run("fetch_reservations", f"{site}/a.mp3", *STEWARD)

        assert ran.code == 0
        assert Reservation.objects.get().source == "tdmrep_header"

    def test_concludes_nothing_from_a_site_that_is_down(self, site: str) -> None:
        Site.answers = {"/robots.txt": (503, {}, b"")}
        ran = run("fetch_reservations", site, *STEWARD)

        assert ran.code == 3
        assert "503" in ran.lines[0]["reasons"][0]

    def test_follows_redirects_on_the_same_host_only(self, site: str) -> None:
        Site.answers = {
            "/robots.txt": (301, {"Location": "/r"}, b""),
            "/r": (200, {}, RESERVED),
            "/away": (302, {"Location": "http://169.254.169.254/latest"}, b""),
            "/round": (302, {"Location": "/round"}, b""),
        }
        answer = fetch(f"{site}/robots.txt", clock=timezone.now)

        assert answer.snapshot is not None
        assert answer.snapshot.content == RESERVED
        with pytest.raises(ForbiddenAddressError):
            fetch(f"{site}/away", clock=timezone.now)
        with pytest.raises(UnreachableError):
            fetch(f"{site}/round", clock=timezone.now)

    def test_stops_at_what_is_too_much(self, site: str) -> None:
        Site.answers = {"/robots.txt": (200, {}, b"#" * (MAX_BYTES + 1))}
        with pytest.raises(UnreachableError, match="bytes"):
            fetch(f"{site}/robots.txt", clock=timezone.now)


class TestFetch:
    @pytest.mark.parametrize(
        "url",
        [
            "http://127.0.0.1/robots.txt",
            "http://localhost/robots.txt",
            "http://10.0.0.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[2002:7f00:1::]/",
            "http://0/",
            "http://2130706433/",
            "http://100.64.0.1/",
            "https://user:secret@label.example/",
            "https://label.example:22/",
            "file:///etc/passwd",
            "https://label.example:99999999/",
        ],
    )
    def test_asks_nothing_that_is_not_public(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(socket, "create_connection", lambda *_: pytest.fail("it was asked"))
        with pytest.raises(ForbiddenAddressError):
            fetch(url, clock=timezone.now)

    def test_goes_to_the_address_that_was_looked_at(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = []

        def refuse(address: tuple[str, int], *_: Any) -> None:
            asked.append(address)
            raise ConnectionRefusedError("refused")

        found = [(2, 1, 6, "", ("93.184.215.14", 443))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        monkeypatch.setattr(socket, "create_connection", refuse)
        with pytest.raises(UnreachableError):
            fetch(f"{SITE}/robots.txt", clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))
        assert asked == [("93.184.215.14", 443)]

    def test_asks_a_host_for_its_three_files_and_the_address_itself(self) -> None:
        assert addresses_to_ask(f"{SITE}/a.mp3") == [
            f"{SITE}/robots.txt",
            f"{SITE}/.well-known/tdmrep.json",
            f"{SITE}/ai.txt",
            f"{SITE}/a.mp3",
        ]
        with pytest.raises(ProvenanceError):
            addresses_to_ask("ftp://label.example")
