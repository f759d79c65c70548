"""A recording's timeline, how it stands on a day, and the command that keeps what that rests on."""

import json
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from provenance.models import (
    EvidenceDocument,
    EvidenceSubject,
    LicenceStatement,
    Party,
    Recording,
    RecordingIdentifier,
    RightsClaim,
)
from provenance.queries import standing, timelines
from provenance.queries.timelines import WIDTH, Span
from tests.people import NOON, People, a_dataset

TODAY = date(2026, 3, 1)


def drawn(*spans: Span) -> timelines.Timeline:
    timeline = timelines.drawn(spans, at=TODAY, today=TODAY)
    assert timeline is not None
    return timeline


class TestDrawn:
    def test_is_nothing_where_no_day_is_named(self) -> None:
        assert timelines.drawn([Span("licence", "master", "CC0", None, None)], at=TODAY, today=TODAY) is None

    def test_lets_what_is_open_run_to_the_edges(self) -> None:
        since, until = drawn(
            Span("grant", "master", "a", date(2025, 1, 1), None),
            Span("grant", "master", "b", None, date(2025, 6, 1)),
        ).bars
        assert since.x + since.width == pytest.approx(WIDTH)
        assert until.x == 0.0
        assert since.x < until.width

    def test_shows_an_instant_wide_enough_to_be_seen(self) -> None:
        bar = drawn(Span("frozen", "both", "folk@1", TODAY, TODAY)).bars[0]
        assert bar.width >= 3.0
        assert bar.span.is_instant

    def test_puts_the_day_asked_about_within(self) -> None:
        timeline = drawn(Span("grant", "master", "a", date(2030, 1, 1), date(2031, 1, 1)))
        assert 0 < timeline.at < timeline.bars[0].x
        assert [year for year, _ in timeline.years] == [2027, 2028, 2029, 2030, 2031]

    def test_names_at_most_a_handful_of_years(self) -> None:
        timeline = drawn(Span("grant", "master", "a", date(1926, 1, 1), date(2126, 1, 1)))
        assert len(timeline.years) <= 9


@pytest.fixture
def recording(people: People) -> Recording:
    return a_dataset(people.steward, people.house, n_recordings=1).entries.get().recording


class TestStanding:
    def test_answers_as_of_the_day_asked(self, recording: Recording) -> None:
        LicenceStatement.objects.update(valid_from=date(2026, 1, 1))

        def answer(at: datetime) -> str:
            return standing.answers_of(recording, at=at)[0][0].answers[0][1].answer

        assert answer(datetime(2026, 2, 1, tzinfo=UTC)) == "allowed"
        assert answer(datetime(2025, 2, 1, tzinfo=UTC)) == "unknown"

    def test_tells_where_shares_leave_a_gap(self, recording: Recording, people: People) -> None:
        party = Party.objects.create(organisation=people.house, name="Half")
        RightsClaim.objects.create(recording=recording, party=party, right="master", share_percent=50)
        _, rights = standing.answers_of(recording, at=NOON)
        claims = recording.claims.select_related("party")
        master, composition = standing.claims_of(claims, rights)
        assert [finding.kind for finding in master.findings] == ["shares_gap"]
        assert (composition.claims, composition.findings) == ([], [])

    def test_marks_identifiers_that_are_not_valid_and_mends_none(self, recording: Recording) -> None:
        Recording.objects.filter(pk=recording.pk).update(isrc="GB-1")
        recording.refresh_from_db()
        RecordingIdentifier.objects.create(
            recording=recording,
            scheme="grid",
            written="A1-x",
            compact="A1-x",
            is_valid=False,
            why_invalid="short",
        )
        found = {one.scheme: (one.written, bool(one.why)) for one in standing.identifiers_of(recording)}
        assert found == {"grid": ("A1-x", True), "isrc": ("GB-1", True)}


class TestKeepEvidence:
    def keep(self, path: Path, *subjects: str, **more: str) -> dict[str, object]:
        out = StringIO()
        given = [argument for subject in subjects for argument in ("--for", subject)]
        options = [f"--{name.replace('_', '-')}={value}" for name, value in more.items()]
        call_command(
            "keep_evidence", str(path), "--kind", "licence_text", "--json", *given, *options, stdout=out
        )
        return dict(json.loads(out.getvalue()))

    @pytest.fixture
    def page(self, tmp_path: Path) -> Path:
        path = tmp_path / "cc0.html"
        path.write_text("No rights reserved.")
        return path

    def test_keeps_it_once_for_all_that_rests_on_it(self, recording: Recording, page: Path) -> None:
        said = {"as": "data_steward", "url": "https://example.org/cc0", "fetched_at": "2026-02-01"}
        line = self.keep(page, "CC0-1.0", str(recording.public_id), "folk", **said)
        assert (line["subjects"], line["statements"]) == (3, 2)
        assert line["fetched_at"] == "2026-02-01T00:00:00+00:00"
        again = self.keep(page, "CC0-1.0", **said)
        assert (again["evidence"], again["subjects"], again["statements"]) == (line["evidence"], 0, 0)
        assert EvidenceDocument.objects.count() == 1

    def test_never_replaces_what_a_statement_rests_on(self, recording: Recording, page: Path) -> None:
        first = self.keep(page, "CC0-1.0")
        page.write_text("Some rights reserved.")
        self.keep(page, "CC0-1.0", str(recording.public_id))
        documents = {str(one.document.public_id) for one in LicenceStatement.objects.all() if one.document}
        assert documents == {first["evidence"]}

    @pytest.mark.parametrize(
        ("subject", "why"),
        [
            ("GPL-99", "no licence of the catalogue"),
            ("48ee2407-56d7-46ce-8069-91b76034de66", "no such recording"),
        ],
    )
    def test_is_for_something_that_is_there(
        self, recording: Recording, page: Path, subject: str, why: str
    ) -> None:
        with pytest.raises(CommandError, match=why):
            self.keep(page, subject)
        assert not EvidenceSubject.objects.exists()

    def test_is_refused_to_who_may_not(self, recording: Recording, page: Path) -> None:
        with pytest.raises(CommandError, match="may not attach evidence"):
            self.keep(page, "CC0-1.0", **{"as": "ml_engineer"})
