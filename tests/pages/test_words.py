"""How pages write what machines name: reasons, places, days, counts, roles."""

from __future__ import annotations

from datetime import date

import pytest
from django.template import Context, Template

from governance.templatetags.sleeve import counted, words
from provenance.deals import where
from provenance.queries.timelines import Span
from provenance.templatetags.reasons import for_people

ONE = "dd58b709-7d4e-469e-82b9-23e531dd30e9"
OTHER = "99aeae22-8b63-4a41-a9eb-199bb6855c03"


class TestReasonsForPeople:
    def test_link_what_decided_instead_of_naming_its_id(self) -> None:
        (said,) = for_people([f"grant {ONE} covers ai_generative_training, not data_mining"])
        assert said == (
            f'<a href="/grants/{ONE}/">the grant</a> covers AI generative training, not data mining'
        )

    @pytest.mark.parametrize(
        ("reason", "address"),
        [
            (f"reservation {ONE} (robots.txt) by the rights holder", f"/opt-outs/{ONE}/"),
            (f"memo {ONE} signed by A; lawful access: bought", "/memos/"),
        ],
    )
    def test_link_opt_outs_and_memos_too(self, reason: str, address: str) -> None:
        (said,) = for_people([reason])
        assert f'href="{address}"' in said
        assert ONE not in said.replace(address, "")

    def test_count_open_conflicts_and_say_once_what_follows(self) -> None:
        said = for_people([f"open conflict {one}: the stricter side holds" for one in (ONE, OTHER)])
        assert said == [
            f'2 open conflicts (<a href="/conflicts/{ONE}/">1</a>, <a href="/conflicts/{OTHER}/">2</a>): '
            "the stricter side holds"
        ]

    def test_escape_what_strangers_wrote(self) -> None:
        (said,) = for_people(["grant by <script>alert(1)</script> & sons"])
        shown = Template("{{ said }}").render(Context({"said": said}))
        assert shown == "grant by &lt;script&gt;alert(1)&lt;/script&gt; &amp; sons"


class TestWhere:
    @pytest.mark.parametrize(
        ("territory", "said"),
        [
            ([], "worldwide"),
            (["WORLD", "-US"], "worldwide without US"),
            (["EUROPE"], "Europe"),
            (["SOUTH-AMERICA", "EFTA", "DE"], "South America, EFTA, DE"),
        ],
    )
    def test_names_groups_and_keeps_codes(self, territory: list[str], said: str) -> None:
        assert where(territory) == said


class TestLastDay:
    def test_is_the_day_before_the_end(self) -> None:
        assert Span("grant", "master", "a", None, date(2027, 1, 15)).last_day == date(2027, 1, 14)

    def test_of_an_opt_out_is_the_day_of_its_withdrawal(self) -> None:
        assert Span("opt-out", "both", "a", None, date(2027, 1, 15)).last_day == date(2027, 1, 15)

    def test_is_none_of_what_is_open(self) -> None:
        assert Span("grant", "master", "a", None, None).last_day is None


class TestCounted:
    @pytest.mark.parametrize(
        ("noun", "n", "said"),
        [("memos", 1, "memo"), ("memos", 2, "memos"), ("memos", 0, "memos"), ("entries", 1, "entry")],
    )
    def test_writes_one_or_several(self, noun: str, n: int, said: str) -> None:
        assert counted(noun, n) == said


def test_a_purpose_is_read_as_it_is_said() -> None:
    assert words("output_commercial") == "commercial output"
