"""A report as four files under one signature, and the check that works from the files alone.

``report.json`` is the snapshot as canonical JSON, ``report.html`` and ``report.pdf`` are made from it, and
``report.sig`` is canonical JSON too: the SHA-256 of each of the three, the public key, and an Ed25519 signature
over everything else that stands in it. There is one way to spell each of these, so any changed byte is seen.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.reports import snapshot, wholeness
from audit.reports.html import render_html
from audit.reports.pdf import render_pdf
from governance import signing
from lib.canonical import CanonicalError, canonical_json, parse_canonical, sha256_hex

FORMAT = "liner-notes-signature/1"
JSON_NAME, HTML_NAME, PDF_NAME, SIGNATURE_NAME = "report.json", "report.html", "report.pdf", "report.sig"
SIGNED_NAMES = (HTML_NAME, JSON_NAME, PDF_NAME)
ALL_NAMES = frozenset({*SIGNED_NAMES, SIGNATURE_NAME})
MAX_SIGNATURE_BYTES = 64 * 1024
"""More than any signature file holds; a larger one is not read."""
MAX_JSON_BYTES = 256 * 1024 * 1024
"""Largest report.json that is parsed; its hash is checked first, so only a signer can make one."""

_MEMBERS = {"format", "algorithm", "key_id", "public_key", "report", "issued_at", "files", "signature"}


class ReportFolderError(Exception):
    """The folder can't be written or read as a report; the message says which and what to do."""


@dataclass(frozen=True)
class Verification:
    """What the files show.

    Attributes
    ----------
    ok : bool
        True only if nothing is wrong with the files and the signer is known.
    signer : {'known', 'not established'}
        Known only if the signature verifies with a public key that came from elsewhere than the folder.
    problems : tuple of str
        What is wrong, each naming its file. Empty with ``ok`` False means: whole, by a signer not
        established.
    key_id : str or None
        The key that the files name; None if they name none that can be read. A claim until ``signer`` is known.
    report : str or None
        The report's id, under the same reserve.
    issued_at : str or None
        The issuer's own word on when, under the same reserve.
    """

    ok: bool
    signer: Literal["known", "not established"]
    problems: tuple[str, ...]
    key_id: str | None = None
    report: str | None = None
    issued_at: str | None = None


def write_report(folder: Path, report: Mapping[str, Any], key: signing.SigningKey) -> Path:
    """Render, sign and put a report in its folder, whole or not at all.

    Parameters
    ----------
    folder : Path
        Where it goes. A folder that holds an earlier report, or nothing, is replaced.
    report : Snapshot
        What it says. Its ``issuer.key_id`` must be the signing key's.
    key : SigningKey
        The issuer's key.

    Returns
    -------
    Path
        ``folder``.

    Raises
    ------
    SnapshotError
        If the snapshot is incomplete, contradicts itself, or names another key.
    ReportFolderError
        If the folder holds anything else; nothing is touched.
    """
    said = wholeness.check(report)
    if said["issuer"]["key_id"] != key.key_id:
        raise snapshot.SnapshotError("issuer.key_id: the report names another key than the one that signs it")
    _refuse_foreign(folder)
    html = render_html(said)
    contents = {
        HTML_NAME: html.encode("utf-8"),
        JSON_NAME: canonical_json(said),
        PDF_NAME: render_pdf(html),
    }
    contents[SIGNATURE_NAME] = _sign(contents, said, key)
    _replace_folder(folder, contents)
    return folder


def verify(folder: Path, public_key: Ed25519PublicKey | None = None) -> Verification:
    """Check a report from its files alone, offline.

    Parameters
    ----------
    folder : Path
        The four files and nothing else.
    public_key : Ed25519PublicKey, optional
        The issuer's key, from a source that is trusted and that is not the folder. Without it only integrity
        can be shown: whoever changed the files could have signed them anew with a key of their own.

    Returns
    -------
    Verification
        Never raises for what the files hold; damage is a problem that names its file.

    Raises
    ------
    ReportFolderError
        If there is no such folder or it can't be listed.
    """
    problems = _misplaced(folder)
    try:
        signature = _read_signature(folder / SIGNATURE_NAME)
    except _RefusedError as error:
        return Verification(False, "not established", tuple(dict.fromkeys([*problems, str(error)])))
    for name in SIGNED_NAMES:
        problems += _changed(folder / name, signature["files"][name])
    if not problems:
        problems += _disagreeing(folder / JSON_NAME, signature)
    key_id = signature["key_id"]
    signer: Literal["known", "not established"] = "not established"
    if public_key is not None and signing.key_id(public_key) != key_id:
        problems.append(f"{SIGNATURE_NAME}: signed with the key {key_id}, not with the key given")
    elif public_key is not None and not problems:
        signer = "known"
    return Verification(
        ok=not problems and signer == "known",
        signer=signer,
        problems=tuple(problems),
        key_id=key_id,
        report=signature["report"],
        issued_at=signature["issued_at"],
    )


# ── Writing ───────────────────────────────────────────────────────────────────────────────────────


def _sign(contents: Mapping[str, bytes], said: snapshot.Snapshot, key: signing.SigningKey) -> bytes:
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "algorithm": signing.ALGORITHM,
        "key_id": key.key_id,
        "public_key": signing.public_hex(key.public),
        "report": said["id"],
        "issued_at": said["issued_at"],
        "files": {
            name: {"sha256": sha256_hex(content), "bytes": len(content)} for name, content in contents.items()
        },
    }
    manifest["signature"] = signing.sign(key, canonical_json(manifest)).hex()
    return canonical_json(manifest)


def _refuse_foreign(folder: Path) -> None:
    if not folder.exists():
        return
    if folder.is_symlink() or not folder.is_dir():
        raise ReportFolderError(f"{folder} is not a folder")
    foreign = sorted(entry.name for entry in folder.iterdir() if entry.name not in ALL_NAMES)
    if foreign:
        raise ReportFolderError(
            f"{folder} holds {foreign[0]}, which is no part of a report: name a new or empty folder"
        )


def _replace_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(4)
    part = folder.with_name(f".{folder.name}.{token}.part")
    aside = folder.with_name(f".{folder.name}.{token}.old")
    part.mkdir()
    try:
        for name, content in contents.items():
            with (part / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        _flush(part)
        if folder.exists():
            folder.rename(aside)
        part.rename(folder)
        _flush(folder.parent)
    except BaseException:
        if aside.exists() and not folder.exists():
            aside.rename(folder)
        raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
        if folder.exists():
            shutil.rmtree(aside, ignore_errors=True)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# ── Checking ──────────────────────────────────────────────────────────────────────────────────────


class _RefusedError(Exception):
    """The signature file is no signature."""


def _misplaced(folder: Path) -> list[str]:
    try:
        entries = {entry.name: entry for entry in folder.iterdir()}
    except OSError as error:
        raise ReportFolderError(f"can't read {folder}: {error.strerror}") from error
    problems = [f"{name}: missing" for name in sorted(ALL_NAMES - entries.keys())]
    problems += [f"{name}: no part of the signed report" for name in sorted(entries.keys() - ALL_NAMES)]
    return problems + [
        f"{name}: not a plain file"
        for name in sorted(ALL_NAMES & entries.keys())
        if not stat.S_ISREG(entries[name].lstat().st_mode)
    ]


def _read_signature(path: Path) -> dict[str, Any]:
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise _RefusedError(f"{path.name}: not a plain file")
        with path.open("rb") as file:
            encoded = file.read(MAX_SIGNATURE_BYTES + 1)
    except FileNotFoundError:
        raise _RefusedError(f"{path.name}: missing") from None
    except OSError as error:
        raise _RefusedError(f"{path.name}: can't be read: {error.strerror}") from error
    if len(encoded) > MAX_SIGNATURE_BYTES:
        raise _RefusedError(f"{path.name}: too large to be a signature")
    try:
        signature = parse_canonical(encoded)
        _check_signature(signature)
    except (CanonicalError, ValueError) as error:
        raise _RefusedError(f"{path.name}: {error}") from error
    checked: dict[str, Any] = signature
    return checked


def _check_signature(signature: Any) -> None:
    if not isinstance(signature, dict) or signature.get("format") != FORMAT:
        raise ValueError(f"not a signature of format {FORMAT}")
    if signature.keys() != _MEMBERS:
        odd = ", ".join(sorted(signature.keys() ^ _MEMBERS))
        raise ValueError(f"missing or unknown: {odd}")
    for name in sorted(_MEMBERS - {"files"}):
        if not isinstance(signature[name], str):
            raise ValueError(f"{name} is not text")
    if signature["algorithm"] != signing.ALGORITHM:
        raise ValueError(f"signed with {signature['algorithm']}, not {signing.ALGORITHM}")
    files = signature["files"]
    if not isinstance(files, dict) or files.keys() != set(SIGNED_NAMES):
        raise ValueError(f"does not bind exactly {', '.join(SIGNED_NAMES)}")
    public = signing.public_from_hex(signature["public_key"])
    if signing.key_id(public) != signature["key_id"]:
        raise ValueError("its key id does not belong to its public key")
    signed = canonical_json({name: value for name, value in signature.items() if name != "signature"})
    if not signing.verify(public, bytes.fromhex(signature["signature"]), signed):
        raise ValueError("the signature does not verify")
    if bytes.fromhex(signature["signature"]).hex() != signature["signature"]:
        raise ValueError("the signature is not lower-case hex")


def _changed(path: Path, bound: Any) -> list[str]:
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return []
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            n_bytes = file.tell()
    except FileNotFoundError:
        return []
    except OSError as error:
        return [f"{path.name}: can't be read: {error.strerror}"]
    if bound != {"sha256": digest, "bytes": n_bytes}:
        return [f"{path.name}: changed since it was signed"]
    return []


def _disagreeing(path: Path, signature: Mapping[str, Any]) -> list[str]:
    """Only who, which and when: a report stays verifiable when later formats have other members."""
    if path.stat().st_size > MAX_JSON_BYTES:
        return [f"{path.name}: too large to be read"]
    try:
        said = parse_canonical(path.read_bytes())
        stated = (said["issuer"]["key_id"], said["id"], said["issued_at"])
    except CanonicalError as error:
        return [f"{path.name}: {error}"]
    except (KeyError, TypeError):
        return [f"{path.name}: not a report"]
    if stated != (signature["key_id"], signature["report"], signature["issued_at"]):
        return [f"{path.name}: names another key, report or time than {SIGNATURE_NAME}"]
    return []
