"""A dataset as a card: what is in it, under which licences, for which use it was cleared."""

from collections import Counter
from typing import Any

import yaml

from lib.figures import counted
from provenance.exports.register import ExportedDataset, licences
from provenance.rights.terms import conditions

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def dataset_card(dataset: ExportedDataset) -> str:
    """Write the card. Recordings of which no licence is stated are counted as such and never left out."""
    stated = Counter(" AND ".join(licences(one)) or "none stated" for one in dataset.recordings)
    answers = Counter(one.master_answer or "not asked" for one in dataset.recordings)
    seconds = sum(one.seconds or 0.0 for one in dataset.recordings)
    n_recordings = len(dataset.recordings)
    parts = [
        f"---\n{yaml.safe_dump(_metadata(dataset, stated), sort_keys=False, allow_unicode=True)}---",
        f"# {dataset.name} {dataset.version}",
        dataset.description,
        "## Composition",
        f"{counted(n_recordings, 'recording')}, {seconds / 60:.1f} minutes. Title is known for "
        f"{sum(bool(one.title) for one in dataset.recordings)}, artist for "
        f"{sum(bool(one.artist) for one in dataset.recordings)}, ISRC for "
        f"{sum(bool(one.isrc) for one in dataset.recordings)}.",
        "## Licences",
        _table("Licence", stated),
        "## Clearance of the master",
        _table("Answer", answers),
        "## Conditions",
        "\n".join(f"- **{name}**: {conditions().get(name, '')}" for name in dataset.conditions)
        or "None was accepted.",
        "## Integrity",
        f"Merkle root `{dataset.merkle_root}` (RFC 6962 hashing over the manifest)."
        if dataset.merkle_root
        else "A draft: nothing is frozen yet, and what it holds may change.",
        "## Limits",
        "Rights were read by software from what the sources state; this is no legal advice.",
    ]
    return "\n\n".join(parts) + "\n"


def _metadata(dataset: ExportedDataset, stated: Counter[str]) -> dict[str, Any]:
    n_recordings = len(dataset.recordings)
    size = next((name for limit, name in SIZES if n_recordings < limit), "n>1M")
    return {
        "pretty_name": f"{dataset.name} {dataset.version}",
        **_licence(stated),
        "size_categories": [size],
        "tags": ["music", "audio"],
    }


def _licence(stated: Counter[str]) -> dict[str, str]:
    """Name the licences; of a dataset without recordings there are none, and the Hub takes no empty name."""
    if not stated:
        return {"license": "unknown"}
    return {"license": "other", "license_name": ", ".join(name for name, _ in stated.most_common(8))}


def _table(title: str, counted: Counter[str]) -> str:
    rows = [f"| {name} | {n} |" for name, n in counted.most_common()]
    return "\n".join([f"| {title} | Recordings |", "|---|---:|", *rows])
