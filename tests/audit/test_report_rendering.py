"""Reports: what they refuse to say, how they escape what others wrote, and what the signature binds."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from audit.frameworks import loader
from audit.reports import bundle, charts, faces, snapshot, wholeness, wording
from audit.reports.html import render_html
from audit.reports.markup import join, tag
from audit.reports.pdf import UnexpectedFetchError, render_pdf
from audit.reports.snapshot import Answer
from audit.reports.wording import day, figure, minute
from governance import signing
from lib.canonical import canonical_json, sha256_hex
from lib.figures import clock, count, duration, share
from tests.audit.report_sample import a_match, evidence, sample

HOSTILE = '"><script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>&lt;b&amp;'
KEY = signing.new_key()
TOO_MANY = sample()["training_run"]["recordings"] | {"n_held_out": 12}


class Reader(HTMLParser):
    """Collects what a browser would see: elements, attributes and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(re.sub(r"<style>.*?</style>", "", page, count=1, flags=re.DOTALL))

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((name, dict(attributes)))
        if name not in {"meta", "br", "link", "img", "hr", "col"}:
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open, f"</{name}> closes nothing"
        assert self.open.pop() == name

    def handle_data(self, text: str) -> None:
        self.text.append(text)

    def names(self) -> set[str]:
        return {name for name, _ in self.elements}

    def all_text(self) -> str:
        return " ".join("".join(self.text).split())


def outputs(**changes: Any) -> dict[str, Any]:
    whole: dict[str, Any] = sample()["outputs"]
    return whole | changes


class TestMarkup:
    def test_escapes_text_and_attributes(self) -> None:
        assert tag("p", "<b>&", title='"x"') == '<p title="&quot;x&quot;">&lt;b&gt;&amp;</p>'

    def test_keeps_what_it_made_itself(self) -> None:
        assert tag("p", tag("b", "a"), [tag("i", "b"), None, 3]) == "<p><b>a</b><i>b</i>3</p>"

    def test_escapes_separators(self) -> None:
        assert join(["a", "b"], " < ") == "a &lt; b"

    def test_writes_bare_names_and_leaves_out_what_is_not_set(self) -> None:
        assert tag("input", cls="a", hidden=True, title=None) == '<input class="a" hidden></input>'

    def test_escapes_again_what_was_cut_out_of_markup(self) -> None:
        assert tag("p", tag("b", "&lt;")[3:-4]) == "<p>&amp;amp;lt;</p>"


class TestWording:
    def test_counts_places_and_durations(self) -> None:
        assert count(1234567) == "1\u202f234\u202f567"
        assert clock(62.44) == "1:02.4"
        assert clock(59.96) == "1:00.0"
        assert duration(3.21) == "3.21\u202fs"
        assert duration(59.999) == "60\u202fs"
        assert duration(3725) == "1\u202fh 2\u202fmin"

    def test_gives_no_more_digits_than_the_whole_bears(self) -> None:
        assert share(1, 3) == "33\u202f%"
        assert share(1, 300) == "0.3\u202f%"
        assert share(0, 0) == "–"

    def test_says_that_a_figure_is_not_known(self) -> None:
        assert figure(None) == "not known"
        assert figure(0.12345) == "0.123"

    def test_keeps_the_zone_of_an_instant(self) -> None:
        assert minute("2026-03-02T09:41:07.123456+01:00") == "2026-03-02 09:41 +01:00"
        assert minute("2026-03-02T09:41:07Z") == "2026-03-02 09:41 +00:00"
        assert day("2026-03-02T09:41:07Z") == "2026-03-02"


class TestBuildAssessment:
    def test_takes_silence_for_not_assessed(self) -> None:
        assessment = snapshot.build_assessment(loader.load("raim"), {})
        assert assessment["conformance"]["not_assessed"] == 45
        assert assessment["coverage"] == {"n_features": 45, "n_with_evidence": 0}

    def test_counts_coverage_apart_from_conformance(self) -> None:
        answers = {
            "2-01": Answer("not_met", "It leaks.", [evidence("campaign", "c", "flagged", 3)]),
            "2-05": Answer("not_met", "Nobody was asked."),
        }
        assessment = snapshot.build_assessment(loader.load("raim"), answers)
        assert assessment["coverage"]["n_with_evidence"] == 1
        assert assessment["conformance"]["not_met"] == 2

    def test_refuses_an_answer_to_a_question_that_was_not_asked(self) -> None:
        with pytest.raises(snapshot.SnapshotError, match="raim has no feature 8-01"):
            snapshot.build_assessment(loader.load("raim"), {"8-01": Answer("met", "x")})


class TestCheck:
    def test_accepts_a_whole_snapshot(self) -> None:
        whole = sample()
        assert wholeness.check(whole) is whole

    def test_accepts_a_model_of_which_nothing_is_known(self) -> None:
        unchecked = outputs(
            n=0,
            n_released=0,
            verdicts={"no_match": 0, "review": 0, "blocked": 0, "unverifiable": 0},
            policy=None,
            index=None,
            control=None,
            confirmation=None,
            missed=[],
            matches=[],
        )
        wholeness.check(sample(training_run=None, dataset=None, outputs=unchecked, decisions=[]))

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"format": "liner-notes-report/2"}, "^format: 'liner-notes-report/2'"),
            ({"surprise": 1}, "^surprise is not a member"),
            ({"release": "fine"}, "^release: 'fine' is not one of approved"),
            ({"limitations": ["a", 3]}, r"^limitations\[1\]: a int where a str belongs"),
            ({"limitations": None}, "^limitations: nothing where a list belongs"),
            ({"ledger": sample()["ledger"] | {"head": "AB"}}, "^ledger.head: 'AB' is not 64"),
            ({"ledger": sample()["ledger"] | {"n_events": True}}, "^ledger.n_events: a bool where a int"),
            ({"outputs": outputs(n=25)}, "^outputs.verdicts: 24 verdicts on 25 outputs"),
            ({"outputs": outputs(index=None)}, "no_match without a policy and an index"),
            ({"outputs": outputs(matches=[a_match(0, score=float("nan"))])}, r"matches\[0\]\.score: nan"),
            ({"outputs": outputs(matches=[a_match(0, kind="melody")])}, r"matches\[0\]\.kind: 'melody'"),
            ({"dataset": sample()["dataset"] | {"n_recordings": 15}}, "14 recordings, the version holds 15"),
            (
                {"training_run": sample()["training_run"] | {"recordings": TOO_MANY}},
                "training_run.recordings: 16 recordings, the version holds 14",
            ),
        ],
    )
    def test_refuses_and_names_the_place(self, changes: dict[str, Any], said: str) -> None:
        with pytest.raises(snapshot.SnapshotError, match=said):
            wholeness.check(sample(**changes))

    @pytest.mark.parametrize("member", sorted(sample()))
    def test_refuses_a_snapshot_without_one_of_its_members(self, member: str) -> None:
        whole = sample()
        del whole[member]
        with pytest.raises(snapshot.SnapshotError, match=member):
            wholeness.check(whole)

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (Answer("met", "We say so."), "2-01: met without evidence"),
            (Answer("partly", "We say so."), "2-01: partly without evidence"),
            (Answer("not_met", " "), "2-01: no reason"),
            (
                Answer("not_assessed", "Later.", [evidence("check", "c", "x", 1)]),
                "2-01: has evidence and no answer",
            ),
        ],
    )
    def test_refuses_answers_that_claim_more_than_they_show(self, answer: Answer, said: str) -> None:
        assessment = snapshot.build_assessment(loader.load("raim"), {"2-01": answer})
        with pytest.raises(snapshot.SnapshotError, match=said):
            wholeness.check(sample(assessment=assessment))

    def test_refuses_totals_that_flatter(self) -> None:
        whole = sample()
        whole["assessment"]["conformance"]["met"] += 1
        with pytest.raises(snapshot.SnapshotError, match=r"assessment\.conformance"):
            wholeness.check(whole)


class TestRenderHtml:
    page = render_html(sample())

    def test_is_one_well_formed_document(self) -> None:
        reader = Reader(self.page)
        assert self.page.startswith("<!DOCTYPE html>")
        assert reader.open == []

    def test_loads_nothing_and_runs_nothing(self) -> None:
        reader = Reader(self.page)
        assert not reader.names() & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
        urls = re.findall(r"url\([\"']?([^\"')]{0,20})", self.page)
        assert all(url.startswith("data:") for url in urls)
        assert "@import" not in self.page
        for _, attributes in reader.elements:
            assert not any(name.startswith("on") or name == "src" for name in attributes)

    def test_carries_its_typefaces(self) -> None:
        assert 'font-family:"Archivo Extended"' in self.page
        assert self.page.count("@font-face") == 6

    def test_leaves_out_letters_that_it_does_not_need(self) -> None:
        assert faces.embedded("plain").count("@font-face") == 4
        assert faces.embedded("Nočný").count("@font-face") == 6

    def test_goes_from_scope_to_signature(self) -> None:
        order = [name["id"] for element, name in Reader(self.page).elements if element == "section"]
        assert order == [
            "scope",
            "verdict",
            "coverage",
            "findings",
            "evidence",
            "features",
            "limitations",
            "signature",
        ]

    def test_sets_the_control_beside_the_figure(self) -> None:
        text = Reader(self.page).all_text()
        assert "Of 24 outputs checked, 14 (58 %) were flagged" in text
        assert "The same check flagged 1 of 24 (4 %) outputs of tide-elsewhere 1" in text

    def test_says_when_there_was_no_control(self) -> None:
        text = Reader(render_html(sample(outputs=outputs(control=None)))).all_text()
        assert "No control model was run, so how much of this is chance is not known." in text

    @pytest.mark.parametrize(("model", "said"), [("tide@1", "tide@1 alone"), (None, "any")])
    def test_says_which_model_the_music_was_cleared_for(self, model: str | None, said: str) -> None:
        text = Reader(render_html(sample(dataset=sample()["dataset"] | {"model": model}))).all_text()
        assert f"For the model{said}" in text

    def test_calls_licences_and_places_by_name(self) -> None:
        dataset = sample()["dataset"]
        text = Reader(render_html(sample(dataset=dataset | {"territory": "DE"}))).all_text()
        assert "GNU General Public License v2 or later (GPL-2.0-or-later)" in text
        assert "TerritoryDE (Germany)" in text
        assert wording.licence("CC0-1.0 / Zlib") == (
            "Creative Commons Zero 1.0 Universal (CC0-1.0) / zlib License (Zlib)"
        )
        assert wording.licence("not in the training set") == "not in the training set"
        assert [wording.place(code) for code in (None, "WORLD")] == ["the world", "the world"]

    def test_says_when_nothing_is_known_about_the_music(self) -> None:
        text = Reader(render_html(sample(dataset=None, training_run=None))).all_text()
        assert "trained on music that is not known" in text
        assert "Nothing about its rights can be said." in text

    def test_says_how_much_of_the_music_was_used(self) -> None:
        text = Reader(self.page).all_text().replace("\u202f", " ")
        assert "14 recordings, 31 min 33 s" in text
        assert "trained on 4 of 14 recordings, 8 min 32 s of 31 min 33 s, at most 30 s of each" in text
        assert "measured on 2 more, 3 min 21 s" in text

    def test_says_when_nothing_was_held_out_and_all_was_heard(self) -> None:
        run = sample()["training_run"]
        run["recordings"] |= {"n_trained": 14, "n_held_out": 0, "held_out_seconds": 0.0, "excerpt_s": None}
        text = Reader(render_html(sample(training_run=run))).all_text().replace("\u202f", " ")
        assert "trained on 14 of 14 recordings" in text
        assert "of each" not in text
        assert "nothing held out to measure on" in text

    def test_calls_the_architecture_by_its_name(self) -> None:
        text = Reader(self.page).all_text()
        assert "Version 1, spectral codec transformer, trained on debian-games 1" in text
        assert "spectral_codec" not in text

    def test_says_when_no_output_was_checked(self) -> None:
        nothing = outputs(n=0, n_released=0, verdicts=dict.fromkeys(outputs()["verdicts"], 0), matches=[])
        text = Reader(render_html(sample(outputs=nothing))).all_text()
        assert "No output of this model has been checked" in text

    def test_shows_all_45_features_with_word_and_shape(self) -> None:
        articles = re.findall(r'<article class="feature">.*?</article>', self.page)
        assert len(articles) == 45
        for article in articles:
            assert re.search(r'<span class="mark mark-(\w+)"><svg [^>]*aria-hidden="true"', article)

    def test_puts_the_worst_match_first(self) -> None:
        matches = [
            a_match(0, verdict="no_match", score=0.99, title="harmless"),
            a_match(1, verdict="review", score=0.7, title="doubtful"),
            a_match(2, verdict="blocked", score=0.8, title="bad"),
            a_match(3, verdict="blocked", score=0.9, title="worst"),
        ]
        text = Reader(render_html(sample(outputs=outputs(matches=matches)))).all_text()
        places = [text.index(f"“{title}”") for title in ("worst", "bad", "doubtful", "harmless")]
        assert places == sorted(places)
        assert text.count("a person said: not a copy") == 1  # of the one that somebody judged

    def test_keeps_coverage_and_conformance_in_tables_of_their_own(self) -> None:
        tables = re.findall(r"<table>(?:(?!</table>).)*</table>", self.page)
        coverage = next(table for table in tables if "With evidence" in table)
        conformance = next(table for table in tables if "there is no score" in table)
        assert "not met" not in coverage
        assert "evidence" not in conformance
        assert Reader(coverage).all_text().endswith("All 45 13") or "All4513" in "".join(
            Reader(coverage).text
        )

    def test_gives_every_drawing_a_text_and_every_table_a_caption(self) -> None:
        reader = Reader(self.page)
        for name, attributes in reader.elements:
            if name == "svg":
                assert attributes.get("aria-hidden") == "true" or attributes.get("aria-label")
        assert self.page.count("<table>") == self.page.count("<caption>")
        assert ("html", {"lang": "en"}) in reader.elements

    def test_names_every_section_and_skips_no_level_of_heading(self) -> None:
        levels = [int(name[1]) for name, _ in Reader(self.page).elements if re.fullmatch(r"h\d", name)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))

    @pytest.mark.parametrize(
        "place",
        [
            lambda s: s["outputs"]["matches"][0].update(title=HOSTILE),
            lambda s: s["outputs"]["matches"][0].update(artist=HOSTILE, licence=HOSTILE),
            lambda s: s["model"].update(
                name=HOSTILE, version=HOSTILE, architecture=HOSTILE, architecture_title=HOSTILE
            ),
            lambda s: s["dataset"].update(name=HOSTILE, policy=HOSTILE, territory=HOSTILE),
            lambda s: s["dataset"]["licences"][0].update(licence=HOSTILE),
            lambda s: s["dataset"]["conflicts"][0].update(description=HOSTILE, kind=HOSTILE),
            lambda s: s["training_run"]["config"].update({HOSTILE: HOSTILE}),
            lambda s: s["training_run"]["baselines"][0].update(name=HOSTILE),
            lambda s: s["decisions"][0].update(reason=HOSTILE, role=HOSTILE, subject=HOSTILE),
            lambda s: s["limitations"].append(HOSTILE),
            lambda s: s["release_reasons"].append(HOSTILE),
            lambda s: s["issuer"].update(organisation=HOSTILE, software=HOSTILE),
            lambda s: s["assessment"]["features"][7].update(reason=HOSTILE),
            lambda s: s["assessment"]["features"][7]["evidence"][0].update(label=HOSTILE, value=HOSTILE),
            lambda s: s["ledger"]["anchors"].append(HOSTILE),
        ],
    )
    def test_shows_hostile_text_as_text(self, place: Callable[[dict[str, Any]], object]) -> None:
        hostile = sample()
        place(hostile)
        page = render_html(hostile)
        reader = Reader(page)
        assert not reader.names() & {"script", "img"}
        assert "<script" not in page
        assert "".join(HOSTILE.split()) in "".join(reader.all_text().split())
        assert reader.open == []

    def test_is_the_same_for_the_same_snapshot(self) -> None:
        assert render_html(sample()) == self.page

    def test_refuses_what_check_refuses(self) -> None:
        with pytest.raises(snapshot.SnapshotError):
            render_html(sample(format="other"))


class TestCharts:
    def test_marks_the_stretch_where_it_lies(self) -> None:
        match = a_match(
            0,
            output_seconds=10.0,
            query_start_s=0.0,
            query_end_s=5.0,
            recording_seconds=100.0,
            reference_start_s=50.0,
            reference_end_s=55.0,
        )
        drawing = charts.alignment(match)  # type: ignore[arg-type]
        assert 'points="74.0,24 357.0,24 385.3,52 357.0,52"' in drawing

    def test_draws_no_curve_through_one_point(self) -> None:
        run = sample()["training_run"]
        run["losses"] = run["losses"][:1]
        assert charts.loss_curve(run) is None

    def test_draws_a_level_curve(self) -> None:
        run = sample()["training_run"]
        run["losses"] = [{"step": s, "training": 1.0, "held_out": None} for s in (0, 1)]
        run["baselines"] = []
        assert charts.loss_curve(run) is not None


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports") / "original"
    return bundle.write_report(folder, signed_sample(), KEY)


def said_by(program: str, *arguments: str | Path) -> str:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: apt-get install poppler-utils")
    return subprocess.run([program, *arguments], capture_output=True, check=True, text=True).stdout


class TestRenderPdf:
    def test_prints_the_words_in_every_alphabet_of_the_page(self, original: Path) -> None:
        text = said_by("pdftotext", original / "report.pdf", "-")
        for words in ("rejected", "“Nočný let”, Michał Dębski", "Víctor Ruiz", "Music leakage prevention"):
            assert words in text

    def test_is_tagged(self, original: Path) -> None:
        assert re.search(r"Tagged:\s+yes", said_by("pdfinfo", original / "report.pdf"))

    def test_carries_its_faces_each_under_a_name_of_its_own(self, original: Path) -> None:
        fonts = said_by("pdffonts", original / "report.pdf").splitlines()[2:]
        assert all(re.search(r"\byes (yes|no) (yes|no)\b", font) for font in fonts)
        assert any("Archivo-Extended" in font for font in fonts)
        assert not any("DejaVu" in font for font in fonts)

    @pytest.mark.parametrize(
        "url", ["http://127.0.0.1:1/x.png", "https://example.org/x", "file:///etc/hostname"]
    )
    def test_fetches_nothing(self, url: str) -> None:
        with pytest.raises(UnexpectedFetchError, match=re.escape(url)):
            render_pdf(f'<!DOCTYPE html><p>text<img src="{url}">')


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "report"))


def signed_sample(key: signing.SigningKey = KEY, **changes: Any) -> dict[str, Any]:
    whole = sample(**changes)
    whole["issuer"]["key_id"] = key.key_id
    return whole


def without_pdf(monkeypatch: pytest.MonkeyPatch) -> None:
    """Printing takes seconds and is not what these tests are about."""
    monkeypatch.setattr(bundle, "render_pdf", lambda html: b"%PDF-" + sha256_hex(html.encode()).encode())


class TestWriteReport:
    def test_writes_four_files_and_nothing_else(self, original: Path) -> None:
        names = sorted(entry.name for entry in original.iterdir())
        assert names == ["report.html", "report.json", "report.pdf", "report.sig"]
        assert [entry.name for entry in original.parent.iterdir()] == ["original"]

    def test_writes_the_snapshot_as_canonical_json(self, original: Path) -> None:
        assert (original / "report.json").read_bytes() == canonical_json(signed_sample())

    def test_refuses_a_report_that_names_another_key(self, tmp_path: Path) -> None:
        with pytest.raises(snapshot.SnapshotError, match="another key"):
            bundle.write_report(tmp_path / "r", sample(), KEY)
        assert not list(tmp_path.iterdir())

    def test_replaces_an_earlier_report(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        without_pdf(monkeypatch)
        bundle.write_report(folder, signed_sample(limitations=["Newer."]), KEY)
        assert bundle.verify(folder, KEY.public).ok
        assert json.loads((folder / "report.json").read_bytes())["limitations"] == ["Newer."]
        assert [entry.name for entry in folder.parent.iterdir()] == ["report"]

    def test_touches_no_folder_that_holds_something_else(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.txt").write_text("mine")
        with pytest.raises(bundle.ReportFolderError, match=r"thesis\.txt"):
            bundle.write_report(tmp_path, signed_sample(), KEY)
        assert (tmp_path / "thesis.txt").read_text() == "mine"

    def test_leaves_the_earlier_report_when_writing_fails(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_pdf(monkeypatch)
        before = (folder / "report.sig").read_bytes()

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            bundle.write_report(folder, signed_sample(limitations=["Newer."]), KEY)
        assert (folder / "report.sig").read_bytes() == before
        assert [entry.name for entry in folder.parent.iterdir()] == ["report"]


class TestVerify:
    def test_accepts_what_was_signed_and_knows_the_signer(self, original: Path) -> None:
        verification = bundle.verify(original, KEY.public)
        assert verification == bundle.Verification(
            ok=True,
            signer="known",
            problems=(),
            key_id=KEY.key_id,
            report=sample()["id"],
            issued_at=sample()["issued_at"],
        )

    def test_without_a_key_shows_integrity_only(self, original: Path) -> None:
        verification = bundle.verify(original)
        assert (verification.ok, verification.signer, verification.problems) == (False, "not established", ())

    def test_refuses_another_key(self, original: Path) -> None:
        verification = bundle.verify(original, signing.new_key().public)
        assert not verification.ok
        assert verification.signer == "not established"
        assert verification.problems[0].startswith(f"report.sig: signed with the key {KEY.key_id}")

    @pytest.mark.parametrize("name", ["report.html", "report.json", "report.pdf"])
    @pytest.mark.parametrize("place", [0, 0.5, -1])
    def test_refuses_one_changed_byte_and_names_the_file(self, folder: Path, name: str, place: float) -> None:
        content = bytearray((folder / name).read_bytes())
        content[int(len(content) * place) if place > 0 else int(place)] ^= 1
        (folder / name).write_bytes(content)
        verification = bundle.verify(folder, KEY.public)
        assert not verification.ok
        assert verification.problems == (f"{name}: changed since it was signed",)

    def test_refuses_any_changed_byte_of_the_signature(self, folder: Path) -> None:
        path = folder / "report.sig"
        original = path.read_bytes()
        for place in range(len(original)):
            path.write_bytes(original[:place] + bytes([original[place] ^ 1]) + original[place + 1 :])
            verification = bundle.verify(folder, KEY.public)
            assert not verification.ok, place
            assert verification.problems[0].startswith("report.sig: "), place

    @pytest.mark.parametrize("added", [b" ", b"\n", b"{}", b"\x00"])
    def test_refuses_a_signature_with_something_added(self, folder: Path, added: bytes) -> None:
        path = folder / "report.sig"
        path.write_bytes(path.read_bytes() + added)
        assert bundle.verify(folder, KEY.public).problems[0].startswith("report.sig: ")

    @pytest.mark.parametrize("kept", [0, 1, 100, -1])
    def test_refuses_a_cut_signature(self, folder: Path, kept: int) -> None:
        path = folder / "report.sig"
        path.write_bytes(path.read_bytes()[:kept])
        verification = bundle.verify(folder, KEY.public)
        assert not verification.ok
        assert verification.problems[0].startswith("report.sig: ")

    @pytest.mark.parametrize("name", sorted(bundle.ALL_NAMES))
    def test_refuses_a_missing_file(self, folder: Path, name: str) -> None:
        (folder / name).unlink()
        verification = bundle.verify(folder, KEY.public)
        assert not verification.ok
        assert verification.problems == (f"{name}: missing",)

    @pytest.mark.parametrize("name", ["notes.txt", ".hidden", "report.json.bak"])
    def test_refuses_an_extra_file(self, folder: Path, name: str) -> None:
        (folder / name).write_text("x")
        verification = bundle.verify(folder, KEY.public)
        assert not verification.ok
        assert verification.problems == (f"{name}: no part of the signed report",)

    @pytest.mark.parametrize("name", sorted(bundle.ALL_NAMES))
    def test_refuses_a_link_in_place_of_a_file(self, folder: Path, name: str, tmp_path: Path) -> None:
        (folder / name).rename(tmp_path / name)
        (folder / name).symlink_to(tmp_path / name)
        verification = bundle.verify(folder, KEY.public)
        assert not verification.ok
        assert verification.problems == (f"{name}: not a plain file",)

    def test_does_not_wait_for_a_pipe(self, folder: Path) -> None:
        (folder / "report.sig").unlink()
        os.mkfifo(folder / "report.sig")
        assert stat.S_ISFIFO((folder / "report.sig").stat().st_mode)
        assert bundle.verify(folder, KEY.public).problems == ("report.sig: not a plain file",)

    def test_refuses_the_signature_of_another_report(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_pdf(monkeypatch)
        other = bundle.write_report(tmp_path / "other", signed_sample(limitations=["Other."]), KEY)
        shutil.copy(other / "report.sig", folder / "report.sig")
        problems = bundle.verify(folder, KEY.public).problems
        assert problems == tuple(
            f"{name}: changed since it was signed" for name in ("report.html", "report.json", "report.pdf")
        )

    def test_refuses_files_of_two_reports_of_one_signer(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_pdf(monkeypatch)
        other = bundle.write_report(tmp_path / "other", signed_sample(limitations=["Other."]), KEY)
        shutil.copy(other / "report.pdf", folder / "report.pdf")
        assert bundle.verify(folder, KEY.public).problems == ("report.pdf: changed since it was signed",)

    def test_refuses_a_forger_who_signs_everything_anew(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_pdf(monkeypatch)
        forger = signing.new_key()
        bundle.write_report(folder, signed_sample(forger, release="approved"), forger)
        assert bundle.verify(folder).problems == ()
        assert not bundle.verify(folder).ok
        assert not bundle.verify(folder, KEY.public).ok

    def test_refuses_a_signed_report_in_another_name(self, folder: Path) -> None:
        said = json.loads((folder / "report.json").read_bytes())
        said["issuer"]["key_id"] = "00" * 32
        self.sign_again(folder, canonical_json(said))
        assert bundle.verify(folder, KEY.public).problems == (
            "report.json: names another key, report or time than report.sig",
        )

    @pytest.mark.parametrize("content", [b"[]", b"{}", b'{"issuer":1}', b'{ "a":1}', b"null"])
    def test_refuses_a_signed_file_that_is_no_report(self, folder: Path, content: bytes) -> None:
        self.sign_again(folder, content)
        assert bundle.verify(folder, KEY.public).problems[0].startswith("report.json: ")

    def test_keeps_verifying_reports_whose_format_has_other_members(self, folder: Path) -> None:
        said = json.loads((folder / "report.json").read_bytes())
        said["added_by_a_later_version"] = 1
        self.sign_again(folder, canonical_json(said))
        assert bundle.verify(folder, KEY.public).ok

    def test_refuses_an_unknown_format_of_signature(self, folder: Path) -> None:
        self.sign_again(folder, (folder / "report.json").read_bytes(), format="liner-notes-signature/2")
        assert "format" in bundle.verify(folder, KEY.public).problems[0]

    def test_refuses_a_signature_that_binds_fewer_files(self, folder: Path) -> None:
        path = folder / "report.sig"
        files = json.loads(path.read_bytes())["files"]
        del files["report.pdf"]
        self.sign_again(folder, (folder / "report.json").read_bytes(), files=files)
        assert "does not bind exactly" in bundle.verify(folder, KEY.public).problems[0]

    def test_says_when_there_is_no_such_folder(self, tmp_path: Path) -> None:
        with pytest.raises(bundle.ReportFolderError, match="nowhere"):
            bundle.verify(tmp_path / "nowhere")

    @staticmethod
    def sign_again(folder: Path, content: bytes, **changes: Any) -> None:
        (folder / "report.json").write_bytes(content)
        signature = json.loads((folder / "report.sig").read_bytes())
        del signature["signature"]
        signature["files"]["report.json"] = {"sha256": sha256_hex(content), "bytes": len(content)}
        signature |= changes
        signature["signature"] = signing.sign(KEY, canonical_json(signature)).hex()
        (folder / "report.sig").write_bytes(canonical_json(signature))
