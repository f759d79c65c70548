"""The answer to a case as a signed file that verifies offline, from itself and the issuer's public key alone.

The file is one JSON object: ``answer`` is what is said, ``signature`` the Ed25519 signature over the RFC 8785 form of
``answer``. Whoever has another tool at hand checks it in three steps: canonicalise ``answer``, hash it to compare with
``sha256``, verify ``signature.value`` with the public key of the issuer (32 bytes, hex).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from governance import signing
from governance.signing import SigningKey
from lib.canonical import CanonicalError, canonical_json, sha256_hex

FORMAT = "liner-notes/case-answer"
FORMAT_VERSION = 1
MAX_BYTES = 50_000_000


class AnswerFileError(Exception):
    """The file is no sealed answer; the message says what is wrong with it."""


@dataclass(frozen=True)
class Sealed:
    """A signature over an answer, with what is needed to check it."""

    sha256: str
    key_id: str
    public_key: str
    signature: str


@dataclass(frozen=True)
class Verification:
    """Whether a sealed answer is whole, and who signed it.

    ``signer`` is ``established`` where the key was known beforehand, else ``not established``: anybody can sign with
    a key of their own.
    """

    reference: str
    key_id: str
    signer: str
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems and self.signer == "established"


def seal(answer: Mapping[str, Any], key: SigningKey) -> Sealed:
    """Sign the canonical form of an answer.

    Raises
    ------
    CanonicalError
        If it holds something that has no canonical form.
    """
    said = canonical_json(dict(answer))
    return Sealed(
        sha256=sha256_hex(said),
        key_id=key.key_id,
        public_key=signing.public_hex(key.public),
        signature=signing.sign(key, said).hex(),
    )


def sealed_file(answer: Mapping[str, Any], sealed: Sealed) -> bytes:
    """Return the file that the holder is given: readable, one key a line."""
    whole = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "answer": dict(answer),
        "sha256": sealed.sha256,
        "signature": {
            "algorithm": signing.ALGORITHM,
            "over": "the RFC 8785 canonical form of `answer`",
            "key_id": sealed.key_id,
            "public_key": sealed.public_key,
            "value": sealed.signature,
        },
    }
    return json.dumps(whole, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"


def verify(file: bytes, public_key: Ed25519PublicKey | None = None) -> Verification:
    """Check a sealed answer from its bytes alone.

    Parameters
    ----------
    file : bytes
        What ``sealed_file`` wrote, in any spelling of the same JSON.
    public_key : Ed25519PublicKey, optional
        The issuer's, known beforehand. Without it the signature proves that the file is whole, not who signed it.

    Raises
    ------
    AnswerFileError
        If it is no sealed answer of a format known here.
    """
    whole = _read(file)
    signature = whole["signature"]
    problems = []
    try:
        said = canonical_json(whole["answer"])
        own = signing.public_from_hex(str(signature.get("public_key")))
        value = bytes.fromhex(str(signature.get("value")))
    except (CanonicalError, ValueError) as error:
        raise AnswerFileError(f"the answer or its signature can't be read: {error}") from error
    if sha256_hex(said) != whole.get("sha256"):
        problems.append("the answer was changed: its hash is another")
    if not signing.verify(own, value, said):
        problems.append("the signature does not fit the answer")
    if signing.key_id(own) != signature.get("key_id"):
        problems.append("the key is not the one that is named")
    established = public_key is not None and signing.public_hex(public_key) == signing.public_hex(own)
    if public_key is not None and not established:
        problems.append("it is signed with another key than the issuer's")
    return Verification(
        reference=str(whole["answer"].get("case", {}).get("reference", "")),
        key_id=str(signature.get("key_id")),
        signer="established" if established else "not established",
        problems=tuple(problems),
    )


def _read(file: bytes) -> dict[str, Any]:
    if len(file) > MAX_BYTES:
        raise AnswerFileError(f"the file has {len(file):,} bytes; an answer has at most {MAX_BYTES:,}")
    try:
        whole = json.loads(file)
    except (ValueError, RecursionError) as error:
        raise AnswerFileError(f"it is not JSON: {error}") from error
    if not isinstance(whole, dict) or whole.get("format") != FORMAT:
        raise AnswerFileError("it is no answer to a case")
    if whole.get("format_version") != FORMAT_VERSION:
        raise AnswerFileError(f"its format version is {whole.get('format_version')}, not {FORMAT_VERSION}")
    if not isinstance(whole.get("answer"), dict) or not isinstance(whole.get("signature"), dict):
        raise AnswerFileError("it lacks the answer or the signature")
    return whole
