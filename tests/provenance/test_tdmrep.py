"""TDMRep as it is published (W3C community group final report, 10 May 2024): what we write, and what we read."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.exports.tdmrep import ReservedLocation, reserved, tdmrep
from provenance.rights.optouts import OptOutError, Reading, Snapshot, binds, read
from provenance.rights.optouts import tdmrep as reader

SITE = "https://label.example"
WELL_KNOWN = f"{SITE}/.well-known/tdmrep.json"
PATH = re.compile(r"/(?:[\w\-.~:/?@!&'()*+,;=\[\]]|%[0-9A-Fa-f]{2})*\$?\Z", re.ASCII)


def breaks(said: Any) -> list[str]:
    """Return what a file does against the section "TDM File on the Origin Server"."""
    if not isinstance(said, list):
        return ["it is an array, even of one rule"]
    return [fault for rule in said for fault in faults_of(rule)]


def faults_of(rule: Any) -> list[str]:
    if not isinstance(rule, dict):
        return ["each rule is an object"]
    rules = {
        "location and tdm-reservation are mandatory": {"location", "tdm-reservation"} <= rule.keys(),
        "there are three properties": rule.keys() <= {"location", "tdm-reservation", "tdm-policy"},
        "a location is a pattern of a path": bool(PATH.match(str(rule.get("location", "/")))),
        "tdm-reservation is 0 or 1": repr(rule.get("tdm-reservation", 0)) in ("0", "1"),
        "a policy is a URL": "tdm-policy" not in rule
        or urlsplit(str(rule["tdm-policy"])).scheme in ("http", "https"),
    }
    return [words for words, is_kept in rules.items() if not is_kept]


def written(locations: list[ReservedLocation]) -> Any:
    return json.loads(json.dumps(tdmrep(locations)))


def said(content: Any, url: str = WELL_KNOWN) -> Reading:
    return read(Snapshot(json.dumps(content).encode(), name="tdmrep.json", url=url))


def is_reserved(content: Any, path: str) -> bool:
    return any(
        binds(one.source, one.location, one.raw, one.purposes, SITE + path) for one in said(content).findings
    )


class TestRulesAsPublished:
    """The test's own rules, on the report's own examples and on what they forbid."""

    @pytest.mark.parametrize(
        "said",
        [
            [{"location": "/", "tdm-reservation": 1}],
            [
                {"location": "/directory-a/", "tdm-reservation": 1},
                {
                    "location": "/directory-b/html/",
                    "tdm-reservation": 1,
                    "tdm-policy": "https://provider.com/policies/policy.json",
                },
                {"location": "/directory-b/images/*.jpg", "tdm-reservation": 0},
            ],
        ],
    )
    def test_accept_the_reports_examples(self, said: Any) -> None:
        assert breaks(said) == []

    @pytest.mark.parametrize(
        "said",
        [
            {"location": "/", "tdm-reservation": 1},
            ["/"],
            [{"tdm-reservation": 1}],
            [{"location": "/"}],
            [{"location": "music/", "tdm-reservation": 1}],
            [{"location": "/a b", "tdm-reservation": 1}],
            [{"location": "/100%", "tdm-reservation": 1}],
            [{"location": "/$a", "tdm-reservation": 1}],
            [{"location": "/", "tdm-reservation": "1"}],
            [{"location": "/", "tdm-reservation": True}],
            [{"location": "/", "tdm-reservation": 2}],
            [{"location": "/", "tdm-reservation": 1, "tdm-policy": "policy.json"}],
            [{"location": "/", "tdm-reservation": 1, "territory": "EU"}],
        ],
    )
    def test_refuse_what_it_forbids(self, said: Any) -> None:
        assert len(breaks(said)) == 1


ODD_URLS = (
    "https://label.example",
    "https://label.example/Ω “Sång” 日本語 🎵.flac",
    "https://label.example/a b\tc.flac",
    "https://label.example/price$",
    "https://label.example/star*/x*.flac",
    "https://label.example/100%/%41%2f.flac",
    "https://label.example/play;id=1?track=7#t=3",
    "HTTPS://LABEL.EXAMPLE:443/Upper",
    "/only/a/path.flac",
)
NO_URLS = ("", "label.example/a", "ftp://label.example/a", "https://[", "urn:isrc:USRC17607839", "C:\\a.flac")


class TestWriting:
    @pytest.mark.parametrize("url", ODD_URLS)
    def test_keeps_the_published_shape_and_reserves_the_address(self, url: str) -> None:
        rules = written(reserved([url]))
        assert breaks(rules) == []
        assert is_reserved(rules, urlsplit(url).path + "?x=1")

    def test_reserves_no_more_than_the_address_where_it_holds_signs_of_patterns(self) -> None:
        assert not is_reserved(written(reserved([f"{SITE}/star*.flac"])), "/stars.flac")
        assert not is_reserved(written(reserved([f"{SITE}/price$"])), "/price")

    @given(st.lists(st.text(max_size=30), max_size=4))
    def test_reserves_every_path_whatever_stands_in_it(self, paths: list[str]) -> None:
        urls = [f"{SITE}/{path}" for path in paths]
        rules = written(reserved(urls))
        assert breaks(rules) == []
        readable, problems = reader.rules_of(json.dumps(rules))
        assert problems == ()
        for url in urls:
            rule = reader.deciding(readable, url)
            assert rule is not None
            assert rule.reserved

    @pytest.mark.parametrize("url", NO_URLS)
    def test_says_nothing_of_what_is_on_no_site(self, url: str) -> None:
        assert [one.location for one in reserved([url, f"{SITE}/a"])] == ["/a"]

    @pytest.mark.parametrize("urls", [[], list(NO_URLS)])
    def test_reserves_the_whole_site_where_no_address_is_known(self, urls: list[str]) -> None:
        assert written(reserved(urls)) == [{"location": "/", "tdm-reservation": 1}]

    def test_puts_the_most_specific_first(self) -> None:
        locations = [
            ReservedLocation("/", True),
            ReservedLocation("/free/", False),
            ReservedLocation("/free/", True),
            ReservedLocation("/", True),
        ]
        rules = [(rule["location"], rule["tdm-reservation"]) for rule in written(locations)]
        assert rules == [("/free/", 1), ("/free/", 0), ("/", 1)]

    @pytest.mark.parametrize(
        ("location", "words"),
        [
            *((location, "slash") for location in ("music/", "", "*")),
            *((location, "percent") for location in ("/a b", "/é", "/a$b", "/50%", "/a#b", "/a\n")),
        ],
    )
    def test_refuses_what_is_no_path_pattern(self, location: str, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            tdmrep([ReservedLocation(location, True)])

    @pytest.mark.parametrize(
        "url", ["policy.json", "/policy", "javascript:alert(1)", "https://[", "https://a b/", "mailto:a@b"]
    )
    def test_refuses_a_policy_that_is_no_web_address(self, url: str) -> None:
        with pytest.raises(ValueError, match="web address"):
            tdmrep([ReservedLocation("/", True, url)])


class TestReading:
    @pytest.mark.parametrize(
        ("pattern", "path", "covers"),
        [
            ("/this/path/exactly$", "/this/path/exactly", True),
            ("/this/path/exactly$", "/this/path/exactly.mp3", False),
            ("/this/*/then", "/this/way/and/then/on", True),
            ("/this/*/then", "/this/then", False),
            ("/path/foo-%24", "/path/foo-$", True),
            ("/path/foo-%24", "/path/foo-", False),
            ("/Music/", "/music/a", False),  # "the matching should be case sensitive"
            ("/m%75sic/", "/music/a", True),
            ("/fish*", "/fishheads/yummy.html", True),
            ("*.jpg", "/a/b.jpg", True),
            ("*/a", "/a", True),
            ("*", "/a", True),
        ],
    )
    def test_matches_as_the_report_says(self, pattern: str, path: str, covers: bool) -> None:
        assert is_reserved([{"location": pattern, "tdm-reservation": 1}], path) is covers

    @pytest.mark.parametrize(
        ("locations", "path", "holds"),
        [
            ([("/free/", 0), ("/", 1)], "/free/a", False),
            ([("/free/", 0), ("/", 1)], "/a", True),
            ([("/", 1), ("/free/", 0)], "/free/a", True),  # the first in sequence
            ([("/", 0), ("/music/", 1)], "/music/a", True),  # the longest, as Google reads robots.txt
            ([("/a*", 0), ("/ab", 1), ("/", 1)], "/abc", True),
            ([("/a", 0)], "/a", False),
        ],
    )
    def test_takes_the_reserving_one_of_the_first_and_the_longest(
        self, locations: list[tuple[str, int]], path: str, holds: bool
    ) -> None:
        rules = [{"location": location, "tdm-reservation": flag} for location, flag in locations]
        assert is_reserved(rules, path) is holds

    @pytest.mark.parametrize("flag", ["1", " 1", True, "true", "yes", "Yes"])
    def test_keeps_a_reservation_that_is_written_wrongly_and_tells(self, flag: Any) -> None:
        reading = said([{"location": "/", "tdm-reservation": flag}])
        assert len(reading.findings) == 1
        assert reading.problems == (f"rule 1: tdm-reservation {flag!r} is read as 1: it must be a number",)

    @pytest.mark.parametrize("flag", ["0", "", False, "false", "no", None, 2, -1, 0.5, [], {}])
    def test_lets_an_error_open_nothing(self, flag: Any) -> None:
        rules = [{"location": "/free/", "tdm-reservation": flag}, {"location": "/", "tdm-reservation": 1}]
        assert is_reserved(rules, "/free/a")
        assert [problem[:6] for problem in said(rules).problems] == ["rule 1"]

    def test_takes_a_number_with_a_point_for_the_number_it_is(self) -> None:
        rules = '[{"location": "/a", "tdm-reservation": 0.0}, {"location": "/", "tdm-reservation": 1.0}]'
        reading = read(Snapshot(rules.encode(), url=WELL_KNOWN))
        assert (len(reading.findings), reading.problems) == (1, ())

    @pytest.mark.parametrize("location", [None, 5, "", " ", f"{SITE}/music/", ["/a"], {"path": "/a"}])
    def test_tells_of_a_location_that_is_none(self, location: Any) -> None:
        reading = said([{"location": location, "tdm-reservation": 1}])
        assert reading.findings == ()
        assert len(reading.problems) == 1
        assert "slash" in reading.problems[0]

    def test_keeps_a_reservation_without_its_leading_slash_and_tells(self) -> None:
        rules = [{"location": "music/", "tdm-reservation": 1}]
        assert is_reserved(rules, "/music/a.flac")
        assert not is_reserved(rules, "/a.flac")
        (problem,) = said(rules).problems
        assert problem == "rule 1: location 'music/' is read as '/music/': it must start with a slash"

    def test_opens_nothing_without_its_leading_slash(self) -> None:
        rules = [{"location": "free/", "tdm-reservation": 0}, {"location": "/", "tdm-reservation": 1}]
        assert is_reserved(rules, "/free/a")
        assert "opens nothing" in said(rules).problems[0]

    def test_tells_of_a_location_that_is_missing(self) -> None:
        assert "slash" in said([{"tdm-reservation": 1}]).problems[0]

    @pytest.mark.parametrize("root", [{"location": "/", "tdm-reservation": 1}, "/", 1, None])
    def test_refuses_any_root_but_an_array(self, root: Any) -> None:
        with pytest.raises(OptOutError, match="list of rules"):
            read(Snapshot(json.dumps(root).encode(), url=WELL_KNOWN), "tdmrep")

    @pytest.mark.parametrize(
        ("policy", "kept"),
        [
            ("https://label.example/p", f"{SITE}/p"),
            ("/p", f"{SITE}/p"),
            (" /p ", f"{SITE}/p"),
            ("https://[", ""),
            ("javascript:alert(1)", ""),
            ("mailto:a@b.example", ""),
            ("", ""),
            (None, ""),
            (["/p"], ""),
        ],
    )
    def test_loses_no_reservation_over_its_policy(self, policy: Any, kept: str) -> None:
        rules = [{"location": "/", "tdm-reservation": 1, "tdm-policy": policy}]
        assert [one.policy_url for one in said(rules).findings] == [kept]

    def test_loses_no_header_over_its_policy(self) -> None:
        headers = (("TDM-Reservation", "1"), ("TDM-Policy", "https://["))
        reading = read(Snapshot(b"", url=f"{SITE}/a.mp3", headers=headers), "tdmrep")
        assert [one.policy_url for one in reading.findings] == [""]

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers(-2, 2) | st.floats() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(
                    st.sampled_from(["location", "tdm-reservation", "tdm-policy", "x"]), inner, max_size=4
                )
            ),
            max_leaves=12,
        )
    )
    def test_reads_or_refuses_whatever_comes(self, content: Any) -> None:
        try:
            reading = said([content, {"location": "/", "tdm-reservation": 1}])
        except OptOutError:
            return
        assert reading.findings
