"""Training and data mining assertions in signed files: CAWG 1.1 (16 May 2025) and its C2PA 1.x forerunner.

https://cawg.io/training-and-data-mining/1.1/ . Each entry says ``allowed``, ``notAllowed`` or ``constrained``. What is
constrained is not allowed until its constraint is accepted, which is a deed of a person: a grant on those terms is
registered, or the opt-out is withdrawn with the acceptance as its reason. An entry that says ``allowed`` is no
licence and is not kept as one.

Integrity and trust are two questions. A manifest that does not validate still carries its opt-out, marked: whoever
broke it can't have turned "yes" into "no" to anybody's harm, and the other way round nothing is allowed by it.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from provenance.rights.optouts.findings import EVERYTHING, Finding

LABELS: Final = ("cawg.training-mining", "c2pa.training-mining")
MARK: Final = bytes.fromhex("6332706100110010800000aa00389b71")
"""JUMBF type of a manifest store (C2PA 2.1, section 11.1): a file without it carries none."""
SUFFIXES: Final = {
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".mp4": "audio/mp4",
}
"""What the C2PA library reads of audio. It knows no Ogg: an assertion in an .ogg file is not found."""
MAX_BYTES: Final = 2 * 1024**3
MAX_MANIFESTS: Final = 200
_PURPOSES: Final[dict[str, str]] = {
    "data_mining": "data_mining",
    "ai_inference": "ai_inference",
    "ai_training": "ai_nongenerative_training",
    "ai_generative_training": "ai_generative_training",
}
_SETTINGS: Final = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_after_sign": False}
}
"""Nothing is fetched: a file must not make this machine call an address of its choice."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a file's content credentials say about training, and how far they can be believed."""

    findings: tuple[Finding, ...] = ()
    integrity: bool = False
    """The signature holds and the sound is what was signed."""
    trusted: bool = False
    """The signer's certificate leads to an authority that is trusted here."""
    signer: str = ""
    problems: tuple[str, ...] = ()
    """Codes of the checks that failed (C2PA 2.1, section 15.2.2)."""


def carries_manifest(path: Path) -> bool:
    """Say whether a file holds a manifest store, without reading it as audio. Costs one look over its bytes."""
    if path.suffix.lower() not in SUFFIXES:
        return False
    size = path.stat().st_size
    if not size or size > MAX_BYTES:
        return False
    with path.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as seen:
        return seen.find(MARK) >= 0


def read(path: Path) -> Credential:
    """Read the training and data mining assertions of a file, its ingredients' too.

    Parameters
    ----------
    path : Path
        WAV, MP3, FLAC or M4A.

    Returns
    -------
    Credential
        Without findings where the file has no manifest, or none that reserves anything. A manifest that can't be
        read gives one finding that reserves everything: what was said can't be known, and unknown is not cleared.
    """
    if not carries_manifest(path):
        return Credential()
    import c2pa

    try:
        with (
            path.open("rb") as opened,
            c2pa.Context.from_dict(_SETTINGS) as context,
            c2pa.Reader(SUFFIXES[path.suffix.lower()], opened, context=context) as reader,
        ):
            store = json.loads(reader.json())
    except (c2pa.C2paError, ValueError, RecursionError) as error:
        note = "the file carries content credentials that can't be read: what they say is not known"
        broken = Finding("cawg", EVERYTHING, raw=str(error)[:2000], note=note)
        return Credential((broken,), problems=(str(error)[:300],))
    return credential(store)


def credential(store: Mapping[str, Any]) -> Credential:
    """Return what a manifest store says, as the library's JSON gives it.

    Parameters
    ----------
    store : mapping
        With ``manifests``, ``active_manifest``, ``validation_state`` and ``validation_results``.
    """
    state = str(store.get("validation_state", "Invalid"))
    problems = tuple(dict.fromkeys(_failures(store)))
    integrity = state in ("Valid", "Trusted")
    active = str(store.get("active_manifest", ""))
    manifests = store.get("manifests") or {}
    signer = _signer(manifests.get(active) or {})
    doubt = _doubt(integrity, state == "Trusted", signer, problems)
    findings: list[Finding] = []
    for label, manifest in list(manifests.items())[:MAX_MANIFESTS]:
        where = "" if label == active else "said of an ingredient; "
        for assertion in manifest.get("assertions") or []:
            if _is_mining(str(assertion.get("label", ""))):
                findings += _of_assertion(assertion, where + doubt)
    return Credential(tuple(dict.fromkeys(findings)), integrity, state == "Trusted", signer, problems)


def _is_mining(label: str) -> bool:
    return label.partition("__")[0].removesuffix(".v2") in LABELS


def _of_assertion(assertion: Mapping[str, Any], note: str) -> Iterator[Finding]:
    """Yield one finding for what is not allowed, and one for each entry that is constrained."""
    said = assertion.get("data")
    entries = said.get("entries") if isinstance(said, Mapping) else None
    raw = json.dumps(assertion, ensure_ascii=False, sort_keys=True)[:20_000].replace("\\u0000", "\ufffd")
    if not isinstance(entries, Mapping):
        yield Finding("cawg", EVERYTHING, raw=raw, note=f"{note}; its entries can't be read")
        return
    denied: set[str] = set()
    for name, entry in entries.items():
        purpose = _PURPOSES.get(str(name).rpartition(".")[2])
        use = entry.get("use") if isinstance(entry, Mapping) else None
        if purpose is None or use == "allowed":
            continue
        if use == "constrained":
            info = entry.get("constraint_info") or entry.get("constraints_info") or ""
            asked = f"constrained: {str(info)[:500]}" if info else "constrained, and no constraint is given"
            yield Finding("cawg", frozenset({purpose}), raw=raw, note=f"{asked}; {note}")
        else:
            denied.add(purpose)
    if denied:
        yield Finding("cawg", frozenset(denied), raw=raw, note=note)


def _failures(store: Mapping[str, Any]) -> Iterator[str]:
    results = store.get("validation_results") or {}
    for one in (results.get("activeManifest") or {}).get("failure") or []:
        yield str(one.get("code", ""))
    for one in store.get("validation_status") or []:
        yield str(one.get("code", ""))


def _signer(manifest: Mapping[str, Any]) -> str:
    info = manifest.get("signature_info") or {}
    return " ".join(str(info[name]) for name in ("common_name", "issuer") if info.get(name))[:300]


def _doubt(integrity: bool, trusted: bool, signer: str, problems: tuple[str, ...]) -> str:
    if not integrity:
        return f"the credentials do not validate ({', '.join(problems) or 'no reason given'})"
    who = f"signed by {signer or 'nobody named'}"
    return f"{who}, trusted" if trusted else f"{who}: intact, and the signer is not on a trust list here"
