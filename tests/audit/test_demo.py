"""The demo's own decisions; the loop itself is run by `make demo`."""

import io
import os
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from rich.console import Console

from audit.demo import loop, music, people, show
from audit.demo.loop import Judged, problems_with, why_not
from audit.demo.plan import MODELS, N_OUTPUTS, Planned, halves
from governance.access import labels_of
from governance.errors import PartMissingError
from governance.models import Organisation
from provenance.access import recordings_for_reading
from provenance.models import Party, Recording, RightsClaim
from tests.people import a_dataset


def recordings(n: int, kind: str = "audio") -> list[tuple[str, str]]:
    return [(f"{kind}-{number}", kind) for number in range(n)]


class TestHalves:
    def test_share_nothing_and_lose_nothing(self) -> None:
        training, control = halves(recordings(78) + recordings(31, "symbolic"))

        assert not set(training) & set(control)
        assert len(training) + len(control) == 109

    def test_split_each_kind_by_itself(self) -> None:
        training, control = halves(recordings(30) + recordings(30, "symbolic"))

        for kind in ("audio", "symbolic"):
            assert len([name for name in control if name.startswith(kind)]) == 10
            assert len([name for name in training if name.startswith(kind)]) == 20

    def test_keep_a_recording_where_it_is_when_others_come(self) -> None:
        few, _ = halves(recordings(30))
        many, _ = halves(recordings(30) + recordings(9, "tracker"))

        assert [name for name in many if name.startswith("audio")] == few

    def test_leave_the_control_half_empty_when_there_is_little(self) -> None:
        training, control = halves(recordings(5))

        assert len(training) == 5
        assert control == []


class TestSources:
    def test_refuse_a_folder_without_a_table_and_say_what_to_write(self, tmp_path: Path) -> None:
        with pytest.raises(music.MusicError, match="columns path, title, artist, licence"):
            music.sources(str(tmp_path), tmp_path)

    def test_refuse_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(music.MusicError, match="is no folder"):
            music.sources(str(tmp_path / "gone"), tmp_path)

    def test_take_every_table_of_a_folder(self, tmp_path: Path) -> None:
        for name in ("b.csv", "a.csv", "notes.txt"):
            (tmp_path / name).write_text("path\n")

        found = music.sources(str(tmp_path), tmp_path)

        assert [(source.name, source.format) for source in found] == [("a.csv", "csv"), ("b.csv", "csv")]

    @pytest.mark.parametrize("user", [0, 1000])
    def test_refresh_the_lists_once_where_that_is_allowed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int
    ) -> None:
        apt = tmp_path / "apt-get"
        apt.write_text(
            '#!/bin/sh\necho "$1" >> "$(dirname "$0")/asked"\n'
            'if [ "$1" = update ]; then touch "$(dirname "$0")/lists"; exit 0; fi\n'
            '[ -e "$(dirname "$0")/lists" ] || { echo "E: Unable to locate package" >&2; exit 100; }\n'
            'shift; for package; do touch "${package}_1_all.deb"; done\n'
        )
        apt.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        monkeypatch.setattr(os, "geteuid", lambda: user)
        if user:
            with pytest.raises(PartMissingError, match="apt-get update"):
                music.packages(tmp_path / "music")
        else:
            assert len(music.packages(tmp_path / "music")) == len(music.PACKAGES)
        asked = (tmp_path / "asked").read_text().split()
        assert asked == (["download"] if user else ["download", "update", "download"])

    def test_say_what_to_do_where_apt_is_absent(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))

        with pytest.raises(PartMissingError, match="make demo MUSIC=DIR"):
            music.sources("", tmp_path)

    def test_fetch_nothing_that_is_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))  # no apt-get: fetching would fail
        for package in music.PACKAGES:
            (tmp_path / f"{package}_1_all.deb").touch()

        assert [source.name for source in music.sources("", tmp_path)] == sorted(music.PACKAGES)


def judged(kind: str, *, blocked: int, confirmed: int, figures: dict[str, Any] | None = None) -> Judged:
    counts = {"blocked": blocked, "review": 0, "no_match": N_OUTPUTS - blocked, "unverifiable": 0}
    version: Any = None
    return Judged(
        Planned("model", "symbolic", kind, "training", ""), version, counts, confirmed, None, figures or {}
    )


class TestProblemsWith:
    def test_accept_copies_that_the_samples_confirm(self) -> None:
        assert problems_with([judged("overfitted", blocked=12, confirmed=10)]) == []

    def test_name_an_overfitted_model_whose_copies_are_not_confirmed(self) -> None:
        (problem,) = problems_with([judged("overfitted", blocked=20, confirmed=9)])

        assert "only 9 of 20" in problem

    def test_name_a_decent_model_that_learned_nothing(self) -> None:
        figures = {"held_out_loss": 2.0, "noise_baseline_loss": 5.0, "shuffled_baseline_loss": 1.9}

        (problem,) = problems_with([judged("decent", blocked=0, confirmed=0, figures=figures)])

        assert "does not beat its baselines" in problem

    def test_accept_a_decent_model_that_beats_every_baseline(self) -> None:
        figures = {"held_out_loss": 1.8, "noise_baseline_loss": 5.0, "shuffled_baseline_loss": 1.9}

        assert problems_with([judged("decent", blocked=0, confirmed=0, figures=figures)]) == []


class TestModels:
    def test_come_from_two_families_each_decent_overfitted_and_control(self) -> None:
        kinds = {(planned.architecture, planned.kind) for planned in MODELS}

        assert len({architecture for architecture, _ in kinds}) == 2
        assert len(kinds) == 6


@pytest.mark.django_db
class TestSeatTheLabel:
    def test_speaks_for_the_holder_that_most_recordings_name(self, tmp_path: Path) -> None:
        who = people.gather(tmp_path, now=timezone.now())
        dataset = a_dataset(who.steward, who.organisation)
        one, other = Recording.objects.order_by("id")
        for name, held in (("various authors", [one, other]), ("Ada", [one, other]), ("Bo", [one])):
            party = Party.objects.create(organisation=who.organisation, name=name)
            for recording in held:
                RightsClaim.objects.create(recording=recording, party=party, right="master", source="steward")

        assert loop.seat_the_label(dataset, who) == "Ada"
        assert loop.seat_the_label(dataset, who) == "Ada"  # again, and nothing changes

        label = Organisation.objects.get(name="Ada")
        assert [party.name for party in Party.objects.filter(stands_for=label)] == ["Ada"]
        assert {one.name for one in labels_of(who.users["label"])} == {people.ORGANISATION, "Ada"}
        assert set(recordings_for_reading(who.users["label"])) == {one, other}

    def test_speaks_for_nobody_where_nobody_is_named(self, tmp_path: Path) -> None:
        who = people.gather(tmp_path, now=timezone.now())
        assert loop.seat_the_label(a_dataset(who.steward, who.organisation), who) == ""


class TestWhyNot:
    def test_says_that_a_half_is_empty(self) -> None:
        assert why_not(MODELS[0], None) == "nothing is left for the training half"


class TestShow:
    FALLEN = {
        planned.name: "0 MIDI files are cleared" if "notes" in planned.name else "" for planned in MODELS
    }

    def test_names_the_models_that_will_be_trained(self) -> None:
        assert (
            show.training(self.FALLEN) == "Train 3 of 6 models: sound-overfitted, sound-decent, sound-control"
        )

    def test_says_when_none_fell_away(self) -> None:
        assert show.training(dict.fromkeys(self.FALLEN, "")).startswith(
            "Train all 6 models: notes-overfitted"
        )

    def test_lists_what_was_not_trained_beside_what_was(self) -> None:
        console = Console(file=io.StringIO(), record=True, width=120)
        show.models(console, [judged("overfitted", blocked=20, confirmed=20)], MODELS, self.FALLEN)
        said = console.export_text()
        row = next(line for line in said.splitlines() if "notes-decent" in line and "│" in line)
        assert "untrained" in row
        assert "notes-decent was not trained: 0 MIDI files are cleared." in said
        assert "sound-decent was not trained" not in said
