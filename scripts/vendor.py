"""Renew ``static/vendor/``: the few third-party files that the pages use, pinned, with licence and sha256.

Run by ``make vendor`` (for maintainers; needs npm, which checks each package against its registry's
integrity hash). The files are committed, so nobody needs npm to install or run the product.
"""

import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "static" / "vendor"


@dataclass(frozen=True)
class Package:
    """One npm package: ``files`` maps a path inside it to a file name in ``static/vendor/<folder>/``."""

    name: str
    version: str
    folder: str
    files: dict[str, str]
    purpose: str


def _fonts(name: str, *styles: str) -> dict[str, str]:
    return {
        f"files/{name}-{subset}-{style}.woff2": f"{name}-{subset}-{style}.woff2"
        for subset in ("latin", "latin-ext")
        for style in styles
    }


PACKAGES = (
    Package(
        "wavesurfer.js",
        "8.0.1",
        "wavesurfer",
        {"dist/wavesurfer.esm.js": "wavesurfer.esm.js"},
        "waveforms in pair-player and solo-player",
    ),
    Package(
        "uplot",
        "1.6.32",
        "uplot",
        {"dist/uPlot.esm.js": "uplot.esm.js", "dist/uPlot.min.css": "uplot.css"},
        "curves in table-plot",
    ),
    Package(
        "axe-core",
        "4.14.1",
        "axe-core",
        {"axe.min.js": "axe.min.js", "LICENSE-3RD-PARTY.txt": "LICENSE-3RD-PARTY.txt"},
        "accessibility tests only; no page loads it",
    ),
    Package(
        "@fontsource-variable/archivo",
        "5.3.0",
        "archivo",
        _fonts("archivo", "wdth-normal"),
        "headings, tables and controls",
    ),
    Package(
        "@fontsource-variable/source-serif-4",
        "5.3.1",
        "source-serif-4",
        _fonts("source-serif-4", "wght-normal", "wght-italic"),
        "running text and credit labels",
    ),
    Package(
        "@fontsource/ibm-plex-mono",
        "5.3.0",
        "ibm-plex-mono",
        _fonts("ibm-plex-mono", "400-normal"),
        "hashes, identifiers and code",
    ),
)


def _unpacked(package: Package, into: Path) -> Path:
    subprocess.run(
        ["npm", "pack", "--silent", "--pack-destination", into, f"{package.name}@{package.version}"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (archive,) = into.glob("*.tgz")
    with tarfile.open(archive) as tar:
        tar.extractall(into, filter="data")
    return into / "package"


def _copy(package: Package) -> dict[str, object]:
    target = VENDOR / package.folder
    target.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        source = _unpacked(package, Path(scratch))
        licence = json.loads((source / "package.json").read_text())["license"]
        for inside, name in {**package.files, "LICENSE": "LICENSE"}.items():
            shutil.copyfile(source / inside, target / name)
    return {
        "package": package.name,
        "version": package.version,
        "licence": licence,
        "purpose": package.purpose,
        "files": {
            f"{package.folder}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(target.iterdir())
        },
    }


def main() -> None:
    """Replace the folder with freshly packed copies and write ``VENDOR.json``."""
    if VENDOR.exists():
        shutil.rmtree(VENDOR)
    listing = [_copy(package) for package in PACKAGES]
    (VENDOR / "VENDOR.json").write_text(json.dumps(listing, indent=2) + "\n")


if __name__ == "__main__":
    main()
