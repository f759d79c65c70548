"""A snapshot as a trained model of the demo might give it; every test changes the part it is about."""

from __future__ import annotations

import copy
import hashlib
from typing import Any
from uuid import UUID, uuid5

from audit.frameworks import loader
from audit.reports import snapshot
from audit.reports.snapshot import Answer, Evidence

SPACE = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")


def an_id(name: str) -> str:
    return str(uuid5(SPACE, name))


def a_hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def evidence(kind: str, name: str, label: str, value: snapshot.Scalar, on: str | None = None) -> Evidence:
    return {"kind": kind, "id": an_id(name), "label": label, "value": value, "effective_on": on}


ANSWERS = {
    "1-04": Answer(
        "partly",
        "A running generation can be stopped; stopping playback has not been tried.",
        [evidence("generation", "g-stop", "stopped generations", 1)],
    ),
    "1-06": Answer(
        "met",
        "All 4 released outputs carry their verdict and a rights statement.",
        [evidence("check", "c-rel", "released outputs with a verdict", 4)],
    ),
    "2-01": Answer(
        "not_met",
        "14 of 24 outputs hold stretches of training recordings; waveform correlation confirmed 13 of them. "
        "None of the 14 was released.",
        [
            evidence("campaign", "camp", "outputs flagged", 14),
            evidence("campaign", "camp", "of these confirmed by correlation", 13),
            evidence("index", "idx", "training recordings covered", "14 of 14"),
        ],
    ),
    "2-03": Answer(
        "partly",
        "Held-out loss stands beside two baselines; no metric that others publish was computed.",
        [evidence("training_run", "run", "held-out loss", 1.6241)],
    ),
    "2-08": Answer(
        "met",
        "3 outputs made again from seed and checkpoint gave the same bytes.",
        [evidence("generation", "again", "outputs made again", 3)],
    ),
    "3-02": Answer(
        "partly",
        "7 recordings have an open conflict between tag and package file.",
        [evidence("conflict", "conf", "open conflicts", 7)],
    ),
    "3-05": Answer(
        "partly",
        "All 14 recordings are cleared, 11 of them under conditions that a reviewer accepted.",
        [evidence("dataset_version", "v1", "recordings cleared under conditions", 11)],
    ),
    "4-03": Answer(
        "partly",
        "Outputs are registered by hash and fingerprint; none carries a watermark.",
        [evidence("generation", "reg", "outputs registered", 24)],
    ),
    "4-05": Answer(
        "partly",
        "Every output lists its nearest recordings in sound; composition was not searched.",
        [evidence("check", "c-all", "outputs checked", 24)],
    ),
    "5-01": Answer(
        "not_met",
        "Genre is known for 3 of 14 recordings and origin for none.",
        [evidence("dataset_version", "v1", "recordings with a genre", 3)],
    ),
    "6-01": Answer(
        "partly",
        "Hardware and duration are on record, energy only as an estimate.",
        [evidence("training_run", "run", "energy, Wh", 2.17)],
    ),
    "6-03": Answer(
        "not_applicable",
        "Nobody annotated data for this model; every label comes from the packages' own files.",
        [evidence("attestation", "att", "statement of the data steward", "on file", "2026-03-01")],
        answered_by="attested",
    ),
    "6-05": Answer(
        "partly",
        "Every output is checked before release, in sound only and without calibration.",
        [evidence("check", "c-all", "outputs checked before release", 24)],
    ),
}


def a_match(number: int, **changes: Any) -> dict[str, Any]:
    title, artist, licence, seconds = [
        ("Angus' Background Music", "Àlex Almarza", "Free-Art-License-1.2", 73.282),
        ("Himno de los héroes", "Víctor Ruiz", "CC-BY-SA-3.0", 141.5),
        ("Nočný let", "Michał Dębski", "GPL-2.0-or-later", 98.0),
    ][number % 3]
    start = 3.2 + 11 * number
    return {
        "output": an_id(f"out{number}"),
        "output_sha256": a_hash(f"out{number}"),
        "output_seconds": 12.0,
        "verdict": "blocked" if number < 3 else "review",
        "kind": "recording",
        "recording": an_id(f"rec{number}"),
        "title": title,
        "artist": artist,
        "licence": licence,
        "recording_seconds": seconds,
        "score": 0.981 - 0.06 * number,
        "p_value": None,
        "query_start_s": 0.4 + number / 2,
        "query_end_s": 9.6,
        "reference_start_s": start,
        "reference_end_s": start + 9.2 - number / 2,
        "correlation": 0.94 - 0.2 * number,
        "confirmed": number < 3,
        "judgement": "not_a_copy" if number == 3 else None,
    } | changes


def sample(**changes: Any) -> dict[str, Any]:
    """A complete snapshot; ``changes`` replace top-level members."""
    steps = list(range(0, 1001, 50))
    whole: dict[str, Any] = {
        "format": snapshot.FORMAT,
        "id": an_id("report"),
        "issued_at": "2026-03-02T09:41:07+00:00",
        "issuer": {
            "organisation": "Rivermouth Records",
            "software": "Liner Notes 0.1.0",
            "key_id": a_hash("key"),
        },
        "release": "rejected",
        "release_reasons": [
            "The compliance officer rejected it: “Thirteen confirmed copies in 24 outputs.”",
            "Two features that concern the release are not met.",
        ],
        "model": {
            "id": an_id("model"),
            "name": "tide-overfitted",
            "version": "1",
            "weights_sha256": a_hash("weights"),
            "architecture": "spectral_codec",
            "architecture_title": "spectral codec transformer",
            "family": "codec",
            "n_parameters": 3214592,
        },
        "training_run": {
            "id": an_id("run"),
            "recordings": {
                "n_trained": 4,
                "trained_seconds": 512.3,
                "n_held_out": 2,
                "held_out_seconds": 201.0,
                "excerpt_s": 30.0,
            },
            "config": {"layers": 6, "width": 256, "learning_rate": 0.0003, "batch": 16, "dropout": 0.0},
            "seed": 7,
            "n_steps": 1000,
            "device": "cpu, 2 cores",
            "code_version": "3f1c2a9",
            "started_at": "2026-03-02T09:30:00+00:00",
            "seconds": 312.4,
            "energy": {
                "watt_hours": 2.169,
                "basis": "estimated",
                "assumption": "25 W for two busy cores over the duration of the run; not metered.",
            },
            "loss_unit": "nats per token",
            "losses": [
                {"step": s, "training": 5.4 * 0.9962**s + 0.3, "held_out": 3.9 * 0.9975**s + 1.3}
                for s in steps
            ],
            "final_held_out": 1.6241,
            "baselines": [
                {"name": "shuffled tokens", "held_out": 4.812},
                {"name": "uniform noise", "held_out": 5.545},
            ],
        },
        "dataset": {
            "id": an_id("dataset"),
            "name": "debian-games",
            "version": "1",
            "frozen_at": "2026-03-02T09:25:00+00:00",
            "merkle_root": a_hash("root"),
            "n_recordings": 14,
            "seconds": 1893.4,
            "purpose": "ai_generative_training",
            "commercial": True,
            "territory": None,
            "model": None,
            "policy": "shipped default: copyleft and share-alike under conditions",
            "licences": [
                {"licence": "CC0-1.0", "answer": "allowed", "n_recordings": 3, "seconds": 402.0},
                {
                    "licence": "GPL-2.0-or-later",
                    "answer": "constrained",
                    "n_recordings": 8,
                    "seconds": 1100.4,
                },
                {"licence": "CC-BY-SA-3.0", "answer": "constrained", "n_recordings": 3, "seconds": 391.0},
            ],
            "conditions_accepted": [
                {
                    "condition": "share-alike",
                    "role": "compliance_officer",
                    "reason": "Outputs of the demo are published under the same licence.",
                    "at": "2026-03-02T09:24:00+00:00",
                }
            ],
            "conflicts": [
                {
                    "kind": "licence_differs",
                    "description": "The file's tag says CC-BY-3.0, the package's paragraph says GPL-2.0",
                    "status": "open",
                    "n_recordings": 7,
                }
            ],
        },
        "outputs": {
            "n": 24,
            "n_released": 4,
            "verdicts": {"no_match": 9, "review": 3, "blocked": 11, "unverifiable": 1},
            "kinds_not_checked": ["composition", "style"],
            "policy": {
                "id": an_id("policy"),
                "name": "default checks",
                "calibrated": False,
                "false_alarm_target": None,
                "thresholds": [
                    {
                        "name": "recording: blocked at bit error rate",
                        "value": 0.15,
                        "unit": "share of bits",
                        "meaning": "Aligned fingerprints that differ in fewer bits are the same sound.",
                    },
                    {
                        "name": "recording: review at bit error rate",
                        "value": 0.25,
                        "unit": "share of bits",
                        "meaning": "Between the two a person listens.",
                    },
                ],
            },
            "index": {
                "id": an_id("index"),
                "dataset": "debian-games",
                "version": "1",
                "n_recordings": 14,
                "covers_all": True,
                "kinds": ["recording"],
            },
            "control": {
                "model": "tide-elsewhere 1",
                "trained_on": "debian-games-b 1",
                "n_outputs": 24,
                "verdicts": {"no_match": 23, "review": 1, "blocked": 0, "unverifiable": 0},
            },
            "confirmation": {
                "method": "waveform correlation",
                "threshold": "0.5 over the matched stretch",
                "n_flagged": 14,
                "n_confirmed": 13,
            },
            "missed": [
                {"alteration": "same sound, other loudness", "n_planted": 20, "n_found": 20},
                {"alteration": "pitch up 2 semitones", "n_planted": 20, "n_found": 1},
                {"alteration": "tempo up 5 %", "n_planted": 20, "n_found": 13},
            ],
            "matches": [a_match(number) for number in range(4)],
        },
        "decisions": [
            {
                "id": an_id("review1"),
                "subject": "dataset debian-games",
                "decision": "approved",
                "role": "compliance_officer",
                "reason": "Conditions accepted for the demo.",
                "at": "2026-03-02T09:24:00+00:00",
            },
            {
                "id": an_id("review2"),
                "subject": "model tide-overfitted 1",
                "decision": "rejected",
                "role": "compliance_officer",
                "reason": "Thirteen confirmed copies in 24 outputs.",
                "at": "2026-03-02T09:40:00+00:00",
            },
        ],
        "assessment": snapshot.build_assessment(loader.load("raim"), ANSWERS),
        "limitations": [
            "Only likeness in sound was searched: the same melody in another key, tempo or timbre is not found.",
            "The thresholds are not calibrated, so the share of false alarms is not known.",
            "Twenty-four outputs say little about what a model makes once in a thousand.",
            "Licences were read from the packages' own files; nobody asked the rights holders.",
        ],
        "ledger": {
            "n_events": 412,
            "head": a_hash("head"),
            "at": "2026-03-02T09:41:06+00:00",
            "anchors": [],
        },
    }
    return copy.deepcopy(whole | changes)
