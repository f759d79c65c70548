"""What the demo prints for a person; all of it on standard error."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from audit.demo.loop import Cleared, Judged
from audit.demo.plan import Planned
from provenance.models import Conflict, DatasetVersion
from provenance.rights.values import ANSWERS

READINGS = {
    "strict": "strict: copyleft, share-alike, Free Art refused",
    "default": "default: constrained by conditions",
}


def clearance(console: Console, readings: Sequence[Cleared], n_recordings: int) -> None:
    table = Table(title=f"May these {n_recordings} recordings be used for commercial generative training?")
    table.add_column("Reading")
    for answer in reversed(ANSWERS):
        table.add_column(answer.replace("_", " "), justify="right")
    table.add_column("Because of", overflow="fold")
    for reading in readings:
        counts = [str(reading.summary.counts[answer]) for answer in reversed(ANSWERS)]
        table.add_row(READINGS[reading.policy], *counts, escape(_because(reading)))
    console.print(table)


def _because(reading: Cleared) -> str:
    parts = []
    for answer in reversed(ANSWERS):
        licences = sorted(reading.reasons.get(answer, {}).items(), key=lambda pair: -pair[1])
        if licences:
            named = ", ".join(f"{licence} ({count})" for licence, count in licences[:6])
            parts.append(f"{answer.replace('_', ' ')}: {named}")
    return "\n".join(parts)


def conflicts(console: Console, found: Sequence[Conflict]) -> None:
    """Show every contradiction, and how many recordings have nobody in particular for an author."""
    if not found:
        console.print("No sources disagree about a recording.")
        return
    unclear = [conflict for conflict in found if conflict.kind == "one_holder_string_for_many"]
    contradictions = [conflict for conflict in found if conflict.kind != "one_holder_string_for_many"]
    table = Table(
        title=f"{len(found)} findings. Where sources disagree, the stricter holds until a person decides."
    )
    table.add_column("Kind")
    table.add_column("Finding", overflow="fold")
    for conflict in contradictions[:20]:
        table.add_row(_words(conflict.kind), escape(conflict.summary))
    if len(contradictions) > 20:
        table.add_row("…", f"and {len(contradictions) - 20} more (on the dataset's page)")
    if unclear:
        table.add_row(
            _words(unclear[0].kind),
            f"{len(unclear)} recordings, {escape(unclear[0].summary)} and others alike",
        )
    console.print(table)


def _words(kind: str) -> str:
    return kind.replace("_", " ")


def versions(
    console: Console,
    frozen: Mapping[str, DatasetVersion | None],
    conditions: Sequence[str],
    n_recordings: int,
    policy: str,
) -> None:
    n_used = sum(version.n_recordings for version in frozen.values() if version)
    for half, version in frozen.items():
        if version is None:
            console.print(f"  The {half} half is empty: too little is cleared, so nothing is trained on it.")
        else:
            console.print(
                f"  {version}: {version.n_recordings} recordings, {version.seconds / 60:.0f} min, "
                f"Merkle root {version.merkle_root[:16]}… ({half} half)"
            )
    console.print(f"  Conditions accepted: {', '.join(conditions) or 'none'}")
    if n_used < n_recordings:
        console.print(
            f"  {n_recordings - n_used} of {n_recordings} recordings fell away under the {policy} reading."
        )


def fallen(console: Console, models: Mapping[str, str]) -> None:
    for name, why in models.items():
        if why:
            console.print(f"  {name} falls away: {why}.")


def training(fallen: Mapping[str, str]) -> str:
    """Say which of the planned models are trained."""
    names = [name for name, why in fallen.items() if not why]
    n = f"all {len(fallen)}" if len(names) == len(fallen) else f"{len(names)} of {len(fallen)}"
    return f"Train {n} models: {', '.join(names)}"


def models(
    console: Console, judged: Sequence[Judged], planned: Sequence[Planned], fallen: Mapping[str, str]
) -> None:
    table = Table(title="What the models made, held against what they were trained on")
    for title in ("Model", "Kind", "Outputs", "Blocked", "Review", "No match", "Unverif.", "Confirmed"):
        is_word = title in {"Model", "Kind"}
        table.add_column(title, justify="left" if is_word else "right", no_wrap=is_word)
    table.add_column("Held-out loss (best baseline)", justify="right")
    table.add_column("Control flagged", justify="right")
    for one in judged:
        counts = one.counts
        table.add_row(
            one.planned.name,
            one.planned.kind,
            str(one.n_outputs),
            str(counts["blocked"]),
            str(counts["review"]),
            str(counts["no_match"]),
            str(counts["unverifiable"]),
            f"{one.n_confirmed} of {one.n_flagged}",
            _losses(one.figures),
            _control(one),
        )
    for one_planned in planned:
        if fallen.get(one_planned.name):
            table.add_row(one_planned.name, one_planned.kind, *["–"] * 6, "untrained", "–")
    console.print(table)
    for name, why in fallen.items():
        if why:
            console.print(f"  {name} was not trained: {why}.")
    console.print(
        "  Confirmed: the samples or spectra of the aligned stretches correlate. Control flagged: the same check on "
        "outputs of a model trained on other music.\n  An overfitted model's outputs that are not flagged were missed, "
        "or copy nothing. Where its index is calibrated, an output is flagged for what one in a thousand without a copy "
        "reaches."
    )
    missed = [one for one in judged if one.planned.kind == "overfitted" and one.n_flagged < one.n_outputs]
    for one in missed:
        console.print(
            f"  Not flagged: {one.n_outputs - one.n_flagged} of {one.n_outputs} outputs of {one.planned.name}."
        )


def _losses(figures: Mapping[str, Any]) -> str:
    held_out = figures.get("held_out_loss")
    baselines = [
        figures[name]
        for name in ("noise_baseline_loss", "unigram_baseline_loss", "shuffled_baseline_loss")
        if figures.get(name) is not None
    ]
    if held_out is None:
        return "nothing held out"
    return f"{held_out:.3f} ({min(baselines):.3f})" if baselines else f"{held_out:.3f}"


def _control(one: Judged) -> str:
    if one.control_counts is None:
        return "–"
    n_outputs = sum(one.control_counts.values())
    return f"{one.control_counts['blocked'] + one.control_counts['review']} of {n_outputs}"


def reports(console: Console, folders: Sequence[Path], good: bool, refused: bool) -> None:
    console.print(
        f"{len(folders)} signed reports: {'all verify' if good else 'NOT all verify'}; with one byte changed "
    )
    console.print(
        f"  {'all are refused' if refused else 'NOT all are refused'}. Check one: verify_report {folders[0]}"
    )


def address(
    console: Console, url: str, passwords: Mapping[str, str], roles: Mapping[str, Any], holder: str
) -> None:
    table = Table(title=f"The pages are at {url} – Ctrl-C stops everything")
    table.add_column("Sign in as")
    table.add_column("Password")
    table.add_column("Role")
    for name, password in passwords.items():
        speaks_for = f", for {holder}" if holder and name == "label" else ""
        table.add_row(name, escape(password), escape(f"{roles[name].label}{speaks_for}"))
    console.print(table)


def model_json(one: Judged) -> dict[str, Any]:
    return {
        "model": str(one.version),
        "kind": one.planned.kind,
        "outputs": one.n_outputs,
        "blocked": one.counts["blocked"],
        "review": one.counts["review"],
        "no_match": one.counts["no_match"],
        "unverifiable": one.counts["unverifiable"],
        "confirmed": one.n_confirmed,
        "control": one.control_counts,
        "held_out_loss": one.figures.get("held_out_loss"),
        "noise_baseline_loss": one.figures.get("noise_baseline_loss"),
        "shuffled_baseline_loss": one.figures.get("shuffled_baseline_loss"),
    }
