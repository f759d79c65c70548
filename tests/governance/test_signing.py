"""Ed25519 keys: made once, kept private, and able to tell one byte from another."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from governance import signing


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def id_of_key_in(folder: str) -> str:
    return signing.load_or_create_key(Path(folder)).key_id


class TestLoadOrCreateKey:
    def test_makes_a_key_that_only_its_owner_can_read(self, tmp_path: Path) -> None:
        previous = os.umask(0)
        try:
            signing.load_or_create_key(tmp_path / "keys")
        finally:
            os.umask(previous)
        assert mode(tmp_path / "keys" / "signing_key.pem") == 0o600
        assert mode(tmp_path / "keys") == 0o700

    def test_gives_the_same_key_ever_after(self, tmp_path: Path) -> None:
        assert signing.load_or_create_key(tmp_path).key_id == signing.load_or_create_key(tmp_path).key_id

    def test_keeps_the_mode_of_a_folder_that_was_there(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o755)
        signing.load_or_create_key(tmp_path)
        assert mode(tmp_path) == 0o755

    def test_puts_the_public_key_beside_it(self, tmp_path: Path) -> None:
        key = signing.load_or_create_key(tmp_path)
        public = signing.load_public_key(tmp_path / "signing_key.pub.pem")
        assert signing.key_id(public) == key.key_id

    def test_leaves_no_unfinished_file_behind(self, tmp_path: Path) -> None:
        signing.load_or_create_key(tmp_path)
        assert not list(tmp_path.glob(".*.part"))

    def test_gives_five_processes_that_start_at_once_one_key(self, tmp_path: Path) -> None:
        with multiprocessing.get_context("fork").Pool(5) as pool:
            ids = pool.map(id_of_key_in, [str(tmp_path / "keys")] * 5, chunksize=1)
        assert len(set(ids)) == 1
        assert ids[0] == id_of_key_in(str(tmp_path / "keys"))

    def test_refuses_a_key_that_others_can_read(self, tmp_path: Path) -> None:
        signing.load_or_create_key(tmp_path)
        (tmp_path / "signing_key.pem").chmod(0o644)
        with pytest.raises(signing.KeyFileError, match="chmod 600"):
            signing.load_or_create_key(tmp_path)

    @pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n", b"\x00" * 100])
    def test_refuses_a_damaged_key_and_does_not_replace_it(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "signing_key.pem"
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(signing.KeyFileError, match="not an unencrypted PEM private key"):
            signing.load_or_create_key(tmp_path)
        assert path.read_bytes() == content

    def test_refuses_an_encrypted_key(self, tmp_path: Path) -> None:
        path = tmp_path / "signing_key.pem"
        private = Ed25519PrivateKey.generate()
        path.write_bytes(
            private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
        )
        path.chmod(0o600)
        with pytest.raises(signing.KeyFileError, match="unencrypted"):
            signing.load_or_create_key(tmp_path)

    def test_refuses_a_key_of_another_kind(self, tmp_path: Path) -> None:
        path = tmp_path / "signing_key.pem"
        private = generate_private_key(SECP256R1())
        path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        path.chmod(0o600)
        with pytest.raises(signing.KeyFileError, match="not Ed25519"):
            signing.load_or_create_key(tmp_path)


class TestSigningKey:
    def test_is_named_by_the_hash_of_its_public_bytes(self) -> None:
        key = signing.new_key()
        raw = key.public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        assert key.key_id == hashlib.sha256(raw).hexdigest()

    def test_does_not_show_its_secret(self) -> None:
        key = signing.new_key()
        assert repr(key) == f"SigningKey(key_id='{key.key_id}')"


class TestVerify:
    def test_accepts_the_second_vector_of_rfc_8032_section_7_1(self) -> None:
        private = Ed25519PrivateKey.from_private_bytes(
            bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
        )
        public = signing.public_from_hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
        signature = bytes.fromhex(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        )
        key = signing.SigningKey(private=private, key_id=signing.key_id(private.public_key()))
        assert signing.sign(key, b"\x72") == signature
        assert signing.verify(public, signature, b"\x72")

    def test_refuses_another_message_another_key_and_a_cut_signature(self) -> None:
        key, other = signing.new_key(), signing.new_key()
        signature = signing.sign(key, b"message")
        assert signing.verify(key.public, signature, b"message")
        assert not signing.verify(key.public, signature, b"Message")
        assert not signing.verify(other.public, signature, b"message")
        assert not signing.verify(key.public, signature[:-1], b"message")
        assert not signing.verify(key.public, b"", b"message")


class TestPublicKey:
    def test_survives_pem_and_hex(self) -> None:
        public = signing.new_key().public
        assert signing.key_id(signing.parse_public_pem(signing.public_pem(public))) == signing.key_id(public)
        assert signing.key_id(signing.public_from_hex(signing.public_hex(public))) == signing.key_id(public)

    @pytest.mark.parametrize("raw", ["", "zz", "00" * 31, "00" * 33, "AB" * 32, "ab " * 32])
    def test_refuses_hex_that_is_not_32_bytes_in_lower_case(self, raw: str) -> None:
        with pytest.raises(ValueError):
            signing.public_from_hex(raw)

    def test_refuses_pem_of_another_kind_and_names_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "key.pem"
        path.write_bytes(
            generate_private_key(SECP256R1())
            .public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        with pytest.raises(
            signing.KeyFileError, match=r"the public key .*key\.pem can't be used: a public key, but"
        ):
            signing.load_public_key(path)

    def test_says_which_file_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(signing.KeyFileError, match=r"absent\.pem"):
            signing.load_public_key(tmp_path / "absent.pem")
