"""Making small Debian packages."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path


def tar_bytes(members: dict[str, bytes], links: dict[str, tuple[bytes, str]]) -> bytes:
    """Return a tar file with plain members first, then links and devices by tar's own type byte."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, (kind, target) in links.items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
    return out.getvalue()


def deb(
    path: Path,
    members: dict[str, bytes],
    links: dict[str, tuple[bytes, str]] | None = None,
    *,
    data: bytes | None = None,
) -> Path:
    """Write a Debian package (deb(5)): an ar file of a version, a control and a data member."""
    data = tar_bytes(members, links or {}) if data is None else data
    packed = b"!<arch>\n"
    for name, content in (
        ("debian-binary", b"2.0\n"),
        ("control.tar", tar_bytes({}, {})),
        ("data.tar", data),
    ):
        packed += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode() + content
        packed += b"\n" * (len(content) % 2)
    path.write_bytes(packed)
    return path


def sounding(path: Path, members: dict[str, bytes], notice: str, name: str = "game-data") -> Path:
    """Write a package with a copyright file."""
    return deb(path, {**members, f"usr/share/doc/{name}/copyright": notice.encode()})
