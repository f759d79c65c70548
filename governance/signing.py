"""Ed25519 keys and signatures (RFC 8032): who signed these bytes. Knows nothing of Django.

A key is named by its ``key_id``, the SHA-256 of the 32 raw public bytes. What is signed is always canonical
JSON with a ``format`` member, so that a signature over one kind of document can't be passed off as one over
another.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from lib.canonical import sha256_hex

ALGORITHM = "Ed25519"
PRIVATE_NAME = "signing_key.pem"
PUBLIC_NAME = "signing_key.pub.pem"
_LOCK_NAME = ".signing_key.lock"


class KeyFileError(Exception):
    """A key file can't be used; the message says which and what to do."""


@dataclass(frozen=True)
class SigningKey:
    """A private key that may sign. Its representation shows the key's id and never the secret."""

    private: Ed25519PrivateKey = field(repr=False, compare=False)
    key_id: str

    @property
    def public(self) -> Ed25519PublicKey:
        """The half that may be given away."""
        return self.private.public_key()


def new_key() -> SigningKey:
    """Make a fresh key that is stored nowhere."""
    return _named(Ed25519PrivateKey.generate())


def load_or_create_key(folder: Path) -> SigningKey:
    """Load this installation's signing key from ``folder``, or make it there first.

    Any number of processes may call this at once on an empty folder; all get the same key. The private key
    is written with mode 600, the public key beside it for handing out. A folder that is missing is made with
    mode 700; one that exists keeps its mode.

    Parameters
    ----------
    folder : Path
        Where the key lives.

    Returns
    -------
    SigningKey
        The key.

    Raises
    ------
    KeyFileError
        If the key file is readable by others, damaged, encrypted, or not Ed25519. A damaged key is never
        replaced: what it signed could then no longer be told from a forgery.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / PRIVATE_NAME
    with _locked(folder / _LOCK_NAME):
        if not path.exists():
            private = Ed25519PrivateKey.generate()
            pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            _write_whole(path, pem, mode=0o600)
        key = load_key(path)
        public = folder / PUBLIC_NAME
        if not public.exists():
            _write_whole(public, public_pem(key.public), mode=0o644)
    return key


def load_key(path: Path) -> SigningKey:
    """Load a private key from a PEM file.

    Raises
    ------
    KeyFileError
        If the file can't be read, is readable by others, is damaged or encrypted, or is not Ed25519.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        pem = path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"can't read the signing key {path}: {error.strerror}") from error
    if mode & 0o077:
        raise KeyFileError(
            f"the signing key {path} can be read by others (mode {mode:03o}): run chmod 600 {path}"
        )
    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(
            f"{path} is not an unencrypted PEM private key: restore it from a backup, "
            "or move it away to have a new one made"
        ) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyFileError(f"{path} holds a key that is not {ALGORITHM}")
    return _named(private)


def load_public_key(path: Path) -> Ed25519PublicKey:
    """Load a public key from a PEM file.

    Raises
    ------
    KeyFileError
        If the file can't be read or is not an Ed25519 public key in PEM.
    """
    try:
        return parse_public_pem(path.read_bytes())
    except OSError as error:
        raise KeyFileError(f"can't read the public key {path}: {error.strerror}") from error
    except ValueError as error:
        raise KeyFileError(f"the public key {path} can't be used: {error}") from error


def parse_public_pem(pem: bytes) -> Ed25519PublicKey:
    """Read a public key from PEM text.

    Raises
    ------
    ValueError
        If it is not an Ed25519 public key.
    """
    try:
        public = load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("not a PEM public key") from error
    if not isinstance(public, Ed25519PublicKey):
        raise ValueError(f"a public key, but not {ALGORITHM}")
    return public


def public_from_hex(raw: str) -> Ed25519PublicKey:
    """Read a public key from the 64 lower-case hex digits that ``public_hex`` gives.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(raw))
    if public_hex(public) != raw:
        raise ValueError("not 64 lower-case hex digits")
    return public


def public_hex(public: Ed25519PublicKey) -> str:
    """The 32 raw public bytes (RFC 8032 section 5.1.5) as 64 lower-case hex digits."""
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def public_pem(public: Ed25519PublicKey) -> bytes:
    """The public key in PEM (SubjectPublicKeyInfo, RFC 8410)."""
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def key_id(public: Ed25519PublicKey) -> str:
    """SHA-256 of the raw public bytes, lower-case hex: the name under which a key is known."""
    return sha256_hex(public.public_bytes(Encoding.Raw, PublicFormat.Raw))


def sign(key: SigningKey, message: bytes) -> bytes:
    """Sign ``message``; 64 bytes, the same for the same key and message."""
    return key.private.sign(message)


def verify(public: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    """Whether the private half of ``public`` signed exactly ``message``; False for a malformed signature."""
    try:
        public.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _named(private: Ed25519PrivateKey) -> SigningKey:
    return SigningKey(private=private, key_id=key_id(private.public_key()))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write_whole(path: Path, content: bytes, *, mode: int) -> None:
    descriptor, part = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
