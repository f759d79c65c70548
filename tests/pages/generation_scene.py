"""A model with a planted copy, as rows and synthesised sound: what the pages of generation and audit show."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from generation.models import Check, Generation, GenerationState, Match, ModelVersion
from governance.models import Member, Organisation, Role, User
from provenance import storage
from provenance.models import DatasetVersion, IndexBuild, Recording
from tests import signals
from tests.audit import scene as rows
from tests.audit.scene import Scene

PASSWORD = "a long enough password"
COPIED_S = 5.0


@dataclass(frozen=True)
class House:
    """Rivermouth's people and model; ``stranger`` is officer of another house."""

    scene: Scene
    stranger: User
    trained_on: DatasetVersion
    index: IndexBuild
    version: ModelVersion
    control: ModelVersion
    recording: Recording
    blocked: Generation
    released: Generation

    @property
    def people(self) -> dict[str, User]:
        return self.scene.users

    @property
    def organisation(self) -> Organisation:
        return self.scene.organisation

    def check_of(self, generation: Generation) -> Check:
        return generation.checks.get(control=False)


def a_house(*, n_no_match: int = 2, with_sound: bool = False) -> House:
    scene = rows.a_scene()
    for user in scene.users.values():
        user.set_password(PASSWORD)
        user.save(update_fields=["password"])
    stranger = User.objects.create_user("stranger", password=PASSWORD)
    elsewhere = Organisation.objects.create(name="Elsewhere")
    for role in Role.values:
        Member.objects.create(user=stranger, organisation=elsewhere, role=role, valid_from=rows.NOW)
    trained_on = rows.a_version(scene, ["Frozen Jam", "Sad Robot", "Into the Blue"])
    apart = rows.a_version(scene, ["Orbital", "Marches"], dataset="shore")
    index = rows.an_index(trained_on)
    version = rows.a_model(scene, trained_on, name="night-drive")
    control = rows.a_model(scene, apart, name="night-control")
    recording = trained_on.entries.get(external_id="Frozen Jam").recording
    blocked = rows.an_output(scene, version, state=GenerationState.HELD)
    check = rows.a_check(blocked, index, "blocked", matched=recording, confirmed=True)
    Check.objects.filter(pk=check.pk).update(reasons=["9.0 s of it are Song Frozen Jam, from 0:20.0 on"])
    Match.objects.filter(check_made=check).update(
        occurrences=[20.0, 40.0],
        details={
            "bit_error_rate": 0.05,
            "margin": 0.31,
            "waveform_correlation": 0.91,
            "waveform_threshold": 0.5,
            "spectrogram_correlation": 0.88,
            "spectrogram_threshold": 0.6,
            "confirmed": True,
        },
    )
    rows.outputs(scene, version, index, no_match=n_no_match)
    heard = rows.an_output(scene, control)
    rows.a_check(heard, index, "no_match", control=True, matched=recording)
    released = version.generations.filter(state=GenerationState.RELEASED).first()
    assert released is not None
    house = House(scene, stranger, trained_on, index, version, control, recording, blocked, released)
    if with_sound:
        add_sound(house)
    return house


def add_sound(house: House) -> None:
    """Give the recording and every output sound; the blocked one plays five seconds of the recording."""
    song = signals.music(60.0, seed=1)
    _keep(song, house.recording)
    for number, generation in enumerate(Generation.objects.order_by("id"), start=2):
        sound = signals.music(12.0, seed=number)
        if generation.pk == house.blocked.pk:
            start = round(20.0 * signals.RATE_HZ)
            sound = np.concatenate([sound[: signals.RATE_HZ // 2], song[start : start + 9 * signals.RATE_HZ]])
        _keep(sound, generation)


def _keep(samples: signals.Samples, owner: Recording | Generation) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = signals.write(Path(folder) / "sound.wav", samples)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        owner.audio = storage.keep(path, sha256)
    owner.sha256 = sha256
    owner.seconds = len(samples) / signals.RATE_HZ
    changed = ["audio", "sha256", "seconds"]
    if isinstance(owner, Recording):
        owner.codec = "pcm_s16le"
        changed.append("codec")
    owner.save(update_fields=changed)
