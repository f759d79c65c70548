"""How pages write what machines name: reasons, places, days, counts, roles."""

from __future__ import annotations

from datetime import date

import pytest
from django.template import Context, Template

from governance.templatetags.sleeve import fitting, words
from provenance.deals import where
from provenance.models import StatementSource
from provenance.queries.timelines import Span
from provenance.templatetags.reasons import for_people, source_words, told

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


class TestTold:
    def test_names_who_said_it(self) -> None:
        assert told("the master is claimed at 50 % (steward): 50 % is claimed by nobody") == (
            "the master is claimed at 50 % (according to the data steward): 50 % is claimed by nobody"
        )

    @pytest.mark.parametrize(
        ("written", "said"),
        [
            (
                "grant 1 is for DE, EU, not for US",
                ("DE (Germany), EU (European Union)", "US (United States)"),
            ),
            ("MIT is stated for SOUTH-AMERICA, not for FR", ("South America", "not for FR (France)")),
            ("territories differ; the strictest is CH", ("strictest is CH (Switzerland)",)),
            ("the master is claimed at 50 % in AT (steward): 50 %", ("50 % in AT (Austria) (according",)),
            (
                "claimed at 50 % in the world without US, DE and 2 more",
                ("US (United States), DE (Germany) and 2 more",),
            ),
        ],
    )
    def test_names_places(self, written: str, said: tuple[str, ...]) -> None:
        for words_of_it in said:
            assert words_of_it in told(written)

    @pytest.mark.parametrize(
        "written", ["CC-BY-4.0 is for you", "GPL-2.0 OR MIT does not allow it (passing it on)", "IT IS ON"]
    )
    def test_leaves_what_is_no_place_and_no_source(self, written: str) -> None:
        assert told(written) == written

    def test_names_a_licence_before_an_identifier_of_our_own(self) -> None:
        assert told("LicenseRef-unversioned-LAL: Section 2.1") == (
            "Free Art License, version not stated (LicenseRef-unversioned-LAL): Section 2.1"
        )
        assert (
            "LicenseRef-unversioned-LAL" in for_people(["LicenseRef-unversioned-LAL does not allow it."])[0]
        )
        assert for_people(["LicenseRef-unversioned-LAL."])[0].startswith("Free Art License, version not")


class TestSourceWords:
    @pytest.mark.parametrize("source", StatementSource.values)
    def test_says_every_source_as_a_person_would(self, source: str) -> None:
        assert source_words(source).startswith("the ")
        assert "_" not in source_words(source)

    def test_says_others_by_their_names(self) -> None:
        assert source_words("ddex_message") == "ddex message"


class TestWhere:
    @pytest.mark.parametrize(
        ("territory", "said"),
        [
            ([], "worldwide"),
            (["WORLD", "-US"], "worldwide without US (United States)"),
            (["EUROPE"], "Europe"),
            (
                ["SOUTH-AMERICA", "EFTA", "DE"],
                "South America, EFTA (European Free Trade Association), DE (Germany)",
            ),
        ],
    )
    def test_names_groups_and_countries_behind_their_codes(self, territory: list[str], said: str) -> None:
        assert where(territory) == said


class TestLastDay:
    def test_is_the_day_before_the_end(self) -> None:
        assert Span("grant", "master", "a", None, date(2027, 1, 15)).last_day == date(2027, 1, 14)

    def test_of_an_opt_out_is_the_day_of_its_withdrawal(self) -> None:
        assert Span("opt-out", "both", "a", None, date(2027, 1, 15)).last_day == date(2027, 1, 15)

    def test_is_none_of_what_is_open(self) -> None:
        assert Span("grant", "master", "a", None, None).last_day is None


class TestFitting:
    @pytest.mark.parametrize(
        ("n", "said"), [(0, "opt-outs"), (1, "opt-out"), ("1", "opt-out"), ("more than 1000", "opt-outs")]
    )
    def test_writes_one_or_several_by_a_count_or_words_for_it(self, n: int | str, said: str) -> None:
        assert fitting(n, "opt-out") == said


def test_a_purpose_is_read_as_it_is_said() -> None:
    assert words("output_commercial") == "commercial output"
