"""A dataset as a card: what is in it, under which licences, for which use it was cleared."""

from collections import Counter
from typing import Any

import yaml

from lib.figures import counted
from provenance.exports.register import ExportedDataset, licences
from provenance.rights.terms import conditions

HUB_LICENCES = frozenset(
    {
        *(
            "Apache-2.0",
            "BSD-2-Clause",
            "BSD-3-Clause",
            "CC0-1.0",
            "CC-BY-2.0",
            "CC-BY-2.5",
            "CC-BY-3.0",
            "CC-BY-4.0",
        ),
        *(
            "CC-BY-NC-2.0",
            "CC-BY-NC-3.0",
            "CC-BY-NC-4.0",
            "CC-BY-NC-ND-3.0",
            "CC-BY-NC-ND-4.0",
            "CC-BY-NC-SA-2.0",
        ),
        *(
            "CC-BY-NC-SA-3.0",
            "CC-BY-NC-SA-4.0",
            "CC-BY-ND-4.0",
            "CC-BY-SA-3.0",
            "CC-BY-SA-4.0",
            "ISC",
            "MIT",
            "Zlib",
        ),
    }
)
"""Licences that the Hub has an identifier for, the SPDX one in lower case. Its ``gpl-2.0`` does not say whether later
versions may be chosen, so the GPL goes by its name."""
MAX_NAMED = 8
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def dataset_card(dataset: ExportedDataset) -> str:
    """Write the card. Recordings of which no licence is stated are counted as such and never left out."""
    stated = Counter(" AND ".join(licences(one)) or "none stated" for one in dataset.recordings)
    masters = Counter(one.master_answer or "not asked" for one in dataset.recordings)
    works = Counter(one.composition_answer or "not asked" for one in dataset.recordings)
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
        _table("Answer", masters),
        "## Clearance of the composition",
        _table("Answer", works),
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


def _licence(stated: Counter[str]) -> dict[str, Any]:
    """Name the licences by the Hub's identifiers where it has one for each, else by name.

    Of a dataset without recordings there are none, and the Hub takes no empty name.
    """
    if not stated:
        return {"license": "unknown"}
    names = [name for name, _ in stated.most_common()]
    if HUB_LICENCES.issuperset(names):
        known = [name.lower() for name in names]
        return {"license": known if len(known) > 1 else known[0]}
    further = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return {"license": "other", "license_name": ", ".join(names[:MAX_NAMED]) + further}


def _table(title: str, counted: Counter[str]) -> str:
    rows = [f"| {name} | {n} |" for name, n in counted.most_common()]
    return "\n".join([f"| {title} | Recordings |", "|---|---:|", *rows])
