"""Opt-outs as they are published: read, bound to addresses, and never lost over a detail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.exports.tdmrep import ReservedLocation, tdmrep
from provenance.rights.optouts import Finding, OptOutError, Reading, Snapshot, binds, cawg, kind_of, read
from provenance.rights.optouts import tdmrep as tdmrep_reader
from provenance.rights.optouts.addresses import matches, origin, path_of
from provenance.rights.optouts.findings import EVERYTHING, MAX_BYTES, TRAINING
from tests.credentials import plain_wav, signed, signed_wav

SITE = "https://label.example"
WELL_KNOWN = f"{SITE}/.well-known/tdmrep.json"
INFERENCE = frozenset({"ai_inference"})


def said(content: str | bytes, url: str = f"{SITE}/robots.txt", kind: str = "auto") -> Reading:
    body = content.encode() if isinstance(content, str) else content
    return read(Snapshot(body, name=url.rpartition("/")[2], url=url), kind)


def bound(findings: tuple[Finding, ...], path: str, host: str = SITE) -> set[frozenset[str]]:
    """Return what is reserved for an address."""
    return {
        finding.purposes
        for finding in findings
        if binds(finding.source, finding.location, finding.raw, finding.purposes, host + path)
    }


class TestMatches:
    @pytest.mark.parametrize(
        ("pattern", "path", "covers"),
        [
            ("/", "/a", True),
            ("/music", "/music/a.mp3", True),
            ("/music/", "/music", False),
            ("/*.mp3$", "/a/b.mp3", True),
            ("/*.mp3$", "/a/b.mp3?x=1", False),
            ("/*.mp3", "/a/b.mp3?x=1", True),
            ("/a*b*c$", "/aXbYc", True),
            ("/a*b*c$", "/aXbYcd", False),
            ("/exact$", "/exact", True),
            ("/exact$", "/exactly", False),
            ("*", "/anything", True),
            ("/sch%C3%B6n", "/schön", True),
            ("/%61bc", "/abc", True),
            ("/a**b", "/a-b", True),
            ("/ab*b$", "/ab", False),  # the end does not overlap the beginning
        ],
    )
    def test_follows_rfc_9309(self, pattern: str, path: str, covers: bool) -> None:
        assert matches(pattern, path_of(SITE + path)) is covers

    def test_takes_no_exponential_time(self) -> None:
        assert not matches("/" + "a*" * 2000 + "b$", "/" + "a" * 20_000)

    @given(st.text(max_size=40), st.text(max_size=40))
    def test_never_raises(self, pattern: str, path: str) -> None:
        assert matches(pattern, path_of(path)) in {True, False}
        assert isinstance(origin(path), str)


class TestOrigin:
    @pytest.mark.parametrize(
        ("one", "other", "same"),
        [
            ("https://Label.example/a", "http://label.example:80/b", True),
            ("https://label.example.", "https://label.example", True),
            ("https://bücher.example", "https://xn--bcher-kva.example", True),
            ("https://label.example", "https://label.example:8443", False),
            ("https://label.example", "https://cdn.label.example", False),
            ("https://label.example@evil.example/", "https://label.example", False),
        ],
    )
    def test_compares_hosts_and_not_schemes(self, one: str, other: str, same: bool) -> None:
        assert (origin(one) == origin(other)) is same

    @pytest.mark.parametrize(
        "url", ["", "label.example", "ftp://label.example", "https://[", "file:///etc/passwd"]
    )
    def test_is_empty_for_what_is_no_web_address(self, url: str) -> None:
        assert origin(url) == ""


class TestTdmrepFile:
    def test_reserves_the_locations_it_names(self) -> None:
        rules = [
            {"location": "/music/*.mp3$", "tdm-reservation": 1, "tdm-policy": "/policy.json"},
            {"location": "/free/", "tdm-reservation": 0},
        ]
        findings = said(json.dumps(rules), WELL_KNOWN).findings

        (finding,) = findings
        assert (finding.source, finding.purposes, finding.right) == ("tdmrep_file", EVERYTHING, "both")
        assert finding.policy_url == f"{SITE}/policy.json"
        assert bound(findings, "/music/a.mp3") == {EVERYTHING}
        assert bound(findings, "/music/a.ogg") == set()
        assert bound(findings, "/music/a.mp3", "https://other.example") == set()

    def test_lets_an_earlier_rule_open_a_folder_of_a_closed_site(self) -> None:
        rules = [{"location": "/free/", "tdm-reservation": 0}, {"location": "/", "tdm-reservation": 1}]
        findings = said(json.dumps(rules), WELL_KNOWN).findings

        assert bound(findings, "/music/a.mp3") == {EVERYTHING}
        assert bound(findings, "/free/a.mp3") == set()

    def test_reserves_where_two_rules_say_opposite_things(self) -> None:
        rules = [{"location": "/a", "tdm-reservation": 0}, {"location": "/a", "tdm-reservation": 1}]
        assert bound(said(json.dumps(rules), WELL_KNOWN).findings, "/a") == {EVERYTHING}

    @pytest.mark.parametrize("flag", [1, "1", True, " TRUE "])
    def test_understands_a_one_however_it_is_written(self, flag: object) -> None:
        text = json.dumps([{"location": "/", "tdm-reservation": flag}])
        assert len(said(text, WELL_KNOWN).findings) == 1

    def test_reads_the_good_rules_beside_the_bad(self) -> None:
        rules = [
            "no rule",
            {"location": f"{SITE}/no-path", "tdm-reservation": 1},
            {"location": "/x"},
            {"location": "/y", "tdm-reservation": 7},
            {"location": "/z", "tdm-reservation": {"deep": []}},
            {"location": "/good", "tdm-reservation": 1, "tdm-policy": 5},
        ]
        reading = said(json.dumps(rules), WELL_KNOWN)

        assert [finding.location for finding in reading.findings] == [f"{SITE}/good"]
        assert [problem[:6] for problem in reading.problems] == [f"rule {n}" for n in range(1, 6)]

    def test_reads_a_file_with_a_byte_order_mark(self) -> None:
        text = b"\xef\xbb\xbf" + json.dumps([{"location": "/", "tdm-reservation": 1}]).encode()
        assert len(said(text, WELL_KNOWN).findings) == 1

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"{}", "list of rules"),
            (b"not json", "not JSON"),
            (b"[" * 100_000, "not JSON"),
            ('[{"location": "/é"}]'.encode("latin-1"), "not UTF-8"),
            ("[]".encode("utf-16"), "UTF-16"),
            (b" " * MAX_BYTES + b"[]", "bytes"),
            (json.dumps([1] * 10_001).encode(), "10001 rules"),
        ],
    )
    def test_refuses_what_is_none_and_says_why(self, content: bytes, words: str) -> None:
        with pytest.raises(OptOutError, match=words):
            said(content, WELL_KNOWN)

    def test_reads_back_what_is_exported(self) -> None:
        locations = [
            ReservedLocation("/music/free/", False),
            ReservedLocation("/music/", True, f"{SITE}/policy.json"),
        ]
        rules, problems = tdmrep_reader.rules_of(json.dumps(tdmrep(locations)))

        assert problems == ()
        assert [
            ReservedLocation(rule.location, rule.reserved, rule.policy_url) for rule in rules
        ] == locations

    def test_asks_for_the_host_it_binds(self) -> None:
        with pytest.raises(OptOutError, match="address"):
            said("[]", url="tdmrep.json")


class TestTdmrepOfOneAddress:
    def test_reads_the_headers_of_an_answer(self) -> None:
        answer = b"HTTP/2 200\r\nTDM-Reservation: 1\r\ntdm-policy: https://label.example/p\r\n\r\n\x00sound"
        findings = said(answer, f"{SITE}/a.mp3", "tdmrep").findings

        (finding,) = findings
        assert (finding.source, finding.policy_url) == ("tdmrep_header", f"{SITE}/p")
        assert bound(findings, "/a.mp3") == {EVERYTHING}
        assert bound(findings, "/b.mp3") == set()

    def test_reads_the_meta_elements_of_a_page(self) -> None:
        page = '<!doctype html><META name="tdm-reservation" content=1><meta name=tdm-policy content="/p">'
        (finding,) = said(page, f"{SITE}/song.html").findings

        assert (finding.source, finding.policy_url) == ("tdmrep_page", f"{SITE}/p")

    @pytest.mark.parametrize(
        "page", ["<meta name=tdm-reservation content=0>", "<p>", "<" * 5000, "<meta name='tdm-reservation"]
    )
    def test_finds_nothing_where_nothing_is_reserved(self, page: str) -> None:
        assert said(page, f"{SITE}/song.html").findings == ()


class TestRobots:
    def test_counts_the_crawlers_that_train(self) -> None:
        findings = said("User-agent: GPTBot\nUser-agent: CCBot\nDisallow: /music/\n").findings

        assert [finding.purposes for finding in findings] == [TRAINING]
        assert "GPTBot" in findings[0].note
        assert bound(findings, "/music/a.mp3") == {TRAINING}
        assert bound(findings, "/notes/a.mp3") == set()

    def test_keeps_inference_apart(self) -> None:
        findings = said("User-agent: PerplexityBot\nDisallow: /\n").findings
        assert bound(findings, "/a") == {INFERENCE}

    @pytest.mark.parametrize("agent", ["OAI-SearchBot", "Claude-SearchBot", "Amzn-SearchBot", "Amzn-User"])
    def test_takes_what_keeps_off_a_search_for_no_word_on_training(self, agent: str) -> None:
        (finding,) = said(f"User-agent: {agent}\nDisallow: /\n").findings
        assert finding.purposes == INFERENCE
        assert "unconfirmed" not in finding.note

    def test_reserves_everything_where_we_are_turned_away(self) -> None:
        for agent in ("*", "LinerNotes", "linernotes"):
            assert bound(said(f"User-agent: {agent}\nDisallow: /m\n").findings, "/m/a") == {EVERYTHING}

    def test_follows_the_group_that_names_us(self) -> None:
        findings = said("User-agent: *\nDisallow: /\n\nUser-agent: LinerNotes\nAllow: /\n").findings
        assert bound(findings, "/a") == set()

    def test_lets_allow_open_what_disallow_closes(self) -> None:
        findings = said(
            "User-agent: GPTBot\nDisallow: /music\nAllow: /music$\nAllow: /music/free/\n"
        ).findings

        assert bound(findings, "/music/a.mp3") == {TRAINING}
        assert bound(findings, "/music/free/a.mp3") == set()

    def test_takes_a_search_engine_turned_away_for_no_opt_out(self) -> None:
        assert said("User-agent: Googlebot\nDisallow: /\n").findings == ()

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\xff\x00\xfe" * 50,
            b"Disallow: /\n",
            b"User-agent: GPTBot\nDisallow:\n",
            b"<html>Not found</html>",
        ],
    )
    def test_finds_nothing_in_what_says_nothing(self, content: bytes) -> None:
        assert said(content).findings == ()

    def test_reads_lines_beside_bytes_that_are_no_utf_8(self) -> None:
        content = "# Münster\r\nUser-agent: GPTBot\r\nDisallow: /\r\n".encode("latin-1")
        assert bound(said(content).findings, "/a") == {TRAINING}

    def test_asks_each_organisation_by_its_own_name(self) -> None:
        text = b"User-agent: HouseBot\nDisallow: /\n"
        reading = read(Snapshot(text, url=f"{SITE}/robots.txt"), own_agent="HouseBot")
        assert [finding.purposes for finding in reading.findings] == [EVERYTHING]


class TestAiTxt:
    TEXT = "# Spawning AI\nUser-Agent: *\nDisallow: *.mp3\nDisallow: /stems/\nAllow: /stems/free/\n"

    def test_reserves_training_by_file_type(self) -> None:
        findings = said(self.TEXT, f"{SITE}/ai.txt").findings

        assert bound(findings, "/x/A.MP3") == {TRAINING}
        assert bound(findings, "/x/a.txt") == set()
        assert bound(findings, "/stems/a.wav") == {TRAINING}
        assert bound(findings, "/stems/free/a.wav") == set()

    def test_refuses_another_form_of_that_name(self) -> None:
        with pytest.raises(OptOutError, match="form"):
            said("Training: deny\nLicense: CC-BY-4.0", f"{SITE}/ai.txt")


class TestAipref:
    def test_reads_a_header_as_a_draft(self) -> None:
        answer = b"HTTP/1.1 200 OK\nContent-Usage: train-ai=n, search=y, novelty=?0;x\n\n"
        (finding,) = said(answer, f"{SITE}/a.mp3", "aipref").findings

        assert (finding.source, finding.purposes) == ("aipref", TRAINING)
        assert "draft" in finding.note
        assert finding.raw == "Content-Usage: train-ai=n, search=y, novelty=?0;x"
        assert bound((finding,), "/a.mp3") == {TRAINING}
        assert bound((finding,), "/b.mp3") == set()

    def test_reads_the_lines_of_a_robots_txt(self) -> None:
        text = "User-agent: *\nAllow: /\nContent-Usage: train-ai=n\nContent-Usage: /free/ train-ai=y\n"
        findings = said(text).findings

        assert bound(findings, "/a") == {TRAINING}
        assert bound(findings, "/free/a") == set()

    def test_reads_lines_spaced_by_tabs(self) -> None:
        findings = said("User-agent: *\nAllow: /\nContent-Usage:\t/a/\ttrain-ai=n\n").findings

        assert bound(findings, "/a/b") == {TRAINING}
        assert bound(findings, "/b") == set()

    @pytest.mark.parametrize("said_", ["train-ai=y", "train-ai", "=n", "x=n", ",,;", "train-ai=n=n"])
    def test_makes_nothing_of_what_it_does_not_know(self, said_: str) -> None:
        answer = f"HTTP/1.1 200\nContent-Usage: {said_}\n\n"
        assert said(answer, f"{SITE}/a.mp3", "aipref").findings == ()


class TestCawg:
    ENTRIES = {
        "cawg.ai_generative_training": {"use": "notAllowed"},
        "cawg.ai_training": {"use": "constrained", "constraint_info": "ask the label"},
        "cawg.data_mining": {"use": "allowed"},
    }

    def test_reads_what_a_signed_file_reserves(self, tmp_path: Path) -> None:
        found = cawg.read(signed_wav(tmp_path / "a.wav", self.ENTRIES))

        assert {finding.purposes for finding in found.findings} == {
            frozenset({"ai_generative_training"}),
            frozenset({"ai_nongenerative_training"}),
        }
        assert (found.integrity, found.trusted) == (
            True,
            False,
        )  # intact, by somebody whom nobody vouches for
        assert "Rivermouth" in found.signer
        assert any("ask the label" in finding.note for finding in found.findings)

    def test_reads_the_older_label(self, tmp_path: Path) -> None:
        entries = {"c2pa.ai_training": {"use": "notAllowed"}}
        found = cawg.read(signed_wav(tmp_path / "a.wav", entries, label="c2pa.training-mining"))

        assert [finding.purposes for finding in found.findings] == [frozenset({"ai_nongenerative_training"})]

    def test_keeps_the_opt_out_of_a_broken_signature_and_says_so(self, tmp_path: Path) -> None:
        content = bytearray(signed_wav(tmp_path / "a.wav", self.ENTRIES).read_bytes())
        content[200] ^= 1
        path = tmp_path / "b.wav"
        path.write_bytes(content)
        found = cawg.read(path)

        assert not found.integrity
        assert "assertion.dataHash.mismatch" in found.problems
        assert len(found.findings) == 2
        assert all("do not validate" in finding.note for finding in found.findings)

    def test_reserves_everything_where_the_manifest_cant_be_read(self, tmp_path: Path) -> None:
        content = signed_wav(tmp_path / "a.wav", self.ENTRIES).read_bytes()
        path = tmp_path / "cut.wav"
        path.write_bytes(content[:-300])

        assert [finding.purposes for finding in cawg.read(path).findings] == [EVERYTHING]

    def test_takes_allowed_for_no_reservation_and_no_licence(self, tmp_path: Path) -> None:
        entries = {"cawg.ai_training": {"use": "allowed"}}
        assert cawg.read(signed_wav(tmp_path / "a.wav", entries)).findings == ()

    def test_finds_nothing_in_a_plain_file(self, tmp_path: Path) -> None:
        plain, empty = tmp_path / "a.wav", tmp_path / "b.wav"
        plain.write_bytes(plain_wav())
        empty.write_bytes(b"")

        assert cawg.read(plain) == cawg.read(empty) == cawg.Credential()

    def test_reads_an_mp3_that_is_signed(self, tmp_path: Path) -> None:
        assertion = {"label": "cawg.training-mining", "data": {"entries": self.ENTRIES}}
        frame = b"\xff\xfb\x90\x00" + bytes(413)
        path = tmp_path / "a.mp3"
        path.write_bytes(signed(frame * 20, [assertion], media_type="audio/mpeg"))

        assert len(cawg.read(path).findings) == 2

    def test_counts_what_an_ingredient_says(self) -> None:
        assertion = {"label": "cawg.training-mining__1", "data": {"entries": self.ENTRIES}}
        store = {
            "active_manifest": "new",
            "validation_state": "Valid",
            "manifests": {"new": {"assertions": []}, "old": {"assertions": [assertion]}},
        }
        found = cawg.credential(store)

        assert len(found.findings) == 2
        assert all("ingredient" in finding.note for finding in found.findings)

    @pytest.mark.parametrize("data", [None, [], {"entries": 5}, "x"])
    def test_reserves_everything_where_an_assertion_has_no_entries(self, data: object) -> None:
        store = {"manifests": {"m": {"assertions": [{"label": "cawg.training-mining", "data": data}]}}}
        assert [finding.purposes for finding in cawg.credential(store).findings] == [EVERYTHING]


class TestKindOf:
    @pytest.mark.parametrize(
        ("name", "url", "kind"),
        [
            ("x", WELL_KNOWN, "tdmrep"),
            ("label-robots.txt", "", "robots"),
            ("ai.txt", "", "ai_txt"),
            ("page.html", "", "tdmrep"),
        ],
    )
    def test_goes_by_address_and_name(self, name: str, url: str, kind: str) -> None:
        assert kind_of(Snapshot(b"", name=name, url=url)) == kind

    def test_asks_where_neither_says(self) -> None:
        with pytest.raises(OptOutError, match="which kind"):
            kind_of(Snapshot(b"x", name="download"))
