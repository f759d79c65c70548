"""Files with content credentials, signed by an authority made on the spot."""

import io
import wave
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Entries = dict[str, dict[str, str]]
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"


def signed_wav(path: Path, entries: Entries, *, label: str = "cawg.training-mining", seed: int = 0) -> Path:
    """Write ten seconds of seeded notes with a training and data mining assertion."""
    assertion = {"label": label, "data": {"entries": entries}}
    path.write_bytes(signed(plain_wav(seed), [assertion]))
    return path


def plain_wav(seed: int = 0, *, seconds: float = 10.0, rate_hz: int = 11025) -> bytes:
    rng = np.random.default_rng(seed)
    at = np.arange(int(seconds * rate_hz)) / rate_hz
    pitches_hz = rng.choice([220.0, 277.2, 329.6, 440.0, 554.4], size=int(seconds * 2) + 1)
    sound = np.sin(2 * np.pi * pitches_hz[(at * 2).astype(int)] * at) * 0.4
    file = io.BytesIO()
    with wave.open(file, "wb") as opened:
        opened.setnchannels(1)
        opened.setsampwidth(2)
        opened.setframerate(rate_hz)
        opened.writeframes((sound * 32767).astype("<i2").tobytes())
    return file.getvalue()


def signed(content: bytes, assertions: list[dict[str, Any]], *, media_type: str = "audio/wav") -> bytes:
    import c2pa

    created = {"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE}
    manifest = {
        "claim_generator_info": [{"name": "tests", "version": "1"}],
        "assertions": [{"label": "c2pa.actions", "data": {"actions": [created]}}, *assertions],
    }
    chain, key = _signer()
    out = io.BytesIO()
    with (
        c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", chain, key, None)) as signer,
        c2pa.Builder(manifest) as builder,
    ):
        builder.sign(signer, media_type, io.BytesIO(content), out)
    return out.getvalue()


@lru_cache(maxsize=1)
def _signer() -> tuple[bytes, bytes]:
    """Return the signer's certificate chain and key, in PEM."""
    root_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _certificate("Root", root_key, root_key, is_authority=True)
    leaf = _certificate("Label", leaf_key, root_key, is_authority=False)
    key = leaf_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return leaf + root, key


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, by: ec.EllipticCurvePrivateKey, *, is_authority: bool
) -> bytes:
    now = datetime.now(UTC)
    usage = {"digital_signature": not is_authority, "key_cert_sign": is_authority, "crl_sign": is_authority}
    unused = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    usage |= dict.fromkeys((*unused, "encipher_only", "decipher_only"), False)
    built = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name("Root"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
        .add_extension(x509.KeyUsage(**usage), critical=True)
    )
    if not is_authority:
        built = built.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
        )
    return built.sign(by, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _name(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Rivermouth"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
