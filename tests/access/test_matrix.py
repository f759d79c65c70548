"""Every address, asked by everybody: who is let in, what a refusal leaves behind, what a label learns of others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction
from django.http import HttpResponseBase

from tests.access.asking import HIDDEN, MAY, address, ask, body_of, exact, kind_of
from tests.access.routes import Route, routes
from tests.access.scene import CALLERS, OTHERS, House, writes_seen
from tests.access.table import DOCUMENT, document_with_table, table

pytestmark = pytest.mark.django_db
ROWS = {f"{method} {route.name}": (method, route) for route in routes() for method in route.methods}
LEARN_NOTHING = ("label", "expired", "stranger", "strange_label", "nobody")
THEIRS = ("dataset", "recording", "grant", "claim", "reservation", "output")
ABOUT_THEIRS = [
    name for name, (_, route) in ROWS.items() if "<uuid:" in route.path and exact(route.name) in THEIRS
]
NAMES_THINGS = ("catalogue-list", "check-list", "claim-list", "generation-list", "grant-list", "memo-list")


@dataclass(frozen=True)
class Answer:
    kind: str
    writes: tuple[str, ...]
    names_others: bool


@pytest.fixture(scope="module", autouse=True)
def nobody_works() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("governance.jobs.enqueue", lambda job: None)
        patch.setattr("governance.jobs.worker_answers", lambda queue: False)
        yield


@pytest.fixture(scope="module")
def answers(house: House, django_db_blocker: Any) -> Mapping[tuple[str, str], Answer]:
    """Ask everything once as everybody; what an answer changed is undone before the next."""
    with django_db_blocker.unblock():
        return {
            (name, caller): answered(house, method, route, caller)
            for name, (method, route) in ROWS.items()
            for caller in CALLERS
        }


def answered(
    house: House, method: str, route: Route, caller: str, *, theirs: bool = False, **more: Any
) -> Answer:
    body = {key: value for key, value in {**body_of(route, house), **more}.items() if value is not None}
    with transaction.atomic():
        with writes_seen() as writes:
            response = ask(route, method, house.clients[caller], address(route, house, theirs=theirs), body)
        names_others = OTHERS.encode() in content_of(response).lower()
        transaction.set_rollback(True)
    return Answer(kind_of(response), tuple(writes), names_others)


def content_of(response: HttpResponseBase) -> bytes:
    content: Any = getattr(response, "streaming_content", None)
    return b"".join(content) if content is not None else bytes(getattr(response, "content", b""))


class TestTable:
    def test_has_a_row_for_every_address_and_method(self) -> None:
        assert sorted(ROWS) == sorted(table()), "write the row of a new address in who_may_what.yaml"

    def test_stands_in_the_documents(self) -> None:
        said = "run: python -m tests.access"
        assert document_with_table() == DOCUMENT.read_text(encoding="utf-8"), said


class TestEveryAddress:
    @pytest.mark.parametrize("name", ROWS)
    def test_lets_in_whom_the_table_names(self, answers: Mapping[tuple[str, str], Answer], name: str) -> None:
        assert {caller: answers[name, caller].kind for caller in CALLERS} == dict(table()[name])

    @pytest.mark.parametrize("name", [name for name, (method, _) in ROWS.items() if method != "GET"])
    def test_changes_nothing_for_whom_it_refuses(
        self, answers: Mapping[tuple[str, str], Answer], name: str
    ) -> None:
        for caller in CALLERS:
            answer = answers[name, caller]
            assert answer.kind == MAY or answer.writes == (), caller


class TestOthers:
    """A label learns no title, holder or term of another's, wherever it looks; whoever is outside, none at all."""

    @pytest.mark.parametrize("name", ROWS)
    def test_are_named_to_nobody_outside(self, answers: Mapping[tuple[str, str], Answer], name: str) -> None:
        assert [caller for caller in LEARN_NOTHING if answers[name, caller].names_others] == []

    def test_are_named_to_the_officer(self, answers: Mapping[tuple[str, str], Answer]) -> None:
        """Else the search above would find nothing because there is nothing."""
        named = {name for (name, caller), one in answers.items() if caller == "officer" and one.names_others}
        assert len(named) > 25
        assert {"GET provenance:dataset", "GET api:recording-list", "GET api:grant-list"} <= named

    @pytest.mark.parametrize("name", ABOUT_THEIRS)
    def test_are_not_there_for_a_label(self, house: House, name: str) -> None:
        method, route = ROWS[name]
        answer = answered(house, method, route, "label", theirs=True)
        assert answer.kind != MAY
        assert not answer.names_others
        assert answer.writes == ()


class TestIdsOfAnotherHouse:
    @pytest.mark.parametrize("short", NAMES_THINGS)
    def test_are_unknown_at_home(self, house: House, short: str) -> None:
        """A stranger acts in a house of their own, and names what lies in another: nothing comes of it."""
        method, route = ROWS[f"POST api:{short}"]
        answer = answered(house, method, route, "stranger", organisation=None)
        assert answer.writes == ()

    def test_are_unknown_in_every_address(self, answers: Mapping[tuple[str, str], Answer]) -> None:
        named = [name for name, (_, route) in ROWS.items() if "<uuid:" in route.path]
        assert [name for name in named if answers[name, "stranger"].kind != HIDDEN] == []


class TestExternalAuditor:
    def test_changes_nothing(self, answers: Mapping[tuple[str, str], Answer]) -> None:
        wrote = {
            name
            for name, (method, route) in ROWS.items()
            if method != "GET"
            and route.name not in {"provenance:evidence"}  # that one opens: it is on record
            and answers[name, "auditor"].writes
        }
        assert wrote <= {"POST api:public-case-list", "POST generation:case-public"}  # whoever comes may ask
