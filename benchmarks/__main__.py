"""`python -m benchmarks [NAME …]`: measure, and print a line a figure: name value unit baseline ratio.

Machines are shared and noisy: read the ratios, each taken beside its baseline in the same run.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path

from benchmarks import (
    catalogue,
    composition,
    composition_notes,
    conflicts,
    extremes,
    ingest,
    labels,
    likeness,
    lists,
    rights,
    stems,
    style,
)
from benchmarks.figures import Figure, NothingToMeasureError
from benchmarks.transformations import CONDITIONS, OWN_CODEC

NAMES = (
    "conflicts",
    "ingest",
    "labels",
    "likeness",
    "lists",
    "rights",
)  # what runs without a folder of music
WITH_MUSIC = ("catalogue", "composition", "composition-notes", "extremes", "stems", "style")

WITH_OWN_ARGUMENTS = ("batches", "peers", "scale")


def main(arguments: Sequence[str]) -> int:
    if arguments and arguments[0] in WITH_OWN_ARGUMENTS:
        return int(import_module(f"benchmarks.{arguments[0]}").main(arguments[1:]))
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure, and print a line a figure.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"{', '.join((*NAMES, *WITH_MUSIC, *WITH_OWN_ARGUMENTS))}"
    )
    of_likeness = parser.add_argument_group("likeness, catalogue")
    of_likeness.add_argument("--references", type=Path, metavar="DIR", help="music that is in the index")
    of_likeness.add_argument("--strangers", type=Path, metavar="DIR", help="music that is not")
    of_likeness.add_argument(
        "--protocol", type=Path, metavar="DIR", help="the packages of benchmarks/protocol.tsv, unpacked"
    )
    of_likeness.add_argument(
        "--tracks", type=int, default=0, metavar="N", help="to take excerpts of; 0 for all"
    )
    of_likeness.add_argument("--excerpts", type=int, default=1, metavar="N", help="of each recording")
    of_likeness.add_argument("--lengths", type=float, nargs="*", metavar="S", help="of them; all without it")
    of_likeness.add_argument(
        "--only",
        choices=likeness.PARTS,
        default="",
        help="find copies, or short pieces in other music, or count false alarms",
    )
    of_likeness.add_argument(
        "--changes",
        nargs="+",
        choices=[*CONDITIONS, OWN_CODEC],
        metavar="CHANGE",
        help="of benchmarks.transformations",
    )
    of_likeness.add_argument("--seed", type=int, default=1)
    of_likeness.add_argument(
        "--kept", type=Path, metavar="DIR", help="keep the fingerprints of --protocol there, for the next run"
    )
    of_likeness.add_argument(
        "--answers", type=Path, metavar="FILE", help="add what each query of --protocol was answered to it"
    )
    of_likeness.add_argument(
        "--modules", type=Path, metavar="DIR", help="tracker modules and MIDI files, for stems"
    )
    of_conflicts = parser.add_argument_group("conflicts")
    of_conflicts.add_argument("--music", type=Path, metavar="DIR", help="music to plant copies of")
    of_conflicts.add_argument(
        "--copies", type=int, default=3, metavar="N", help="of each kind; 0 plants none"
    )
    chosen = parser.parse_args(arguments)
    measures: dict[str, Callable[[], Iterable[Figure]]] = {
        "catalogue": partial(catalogue.measure, chosen.references, chosen.strangers, seed=chosen.seed),
        "composition": partial(composition.measure, chosen.protocol, n_works=chosen.tracks),
        "composition-notes": partial(composition_notes.measure, chosen.protocol, n_works=chosen.tracks),
        "conflicts": partial(conflicts.measure, chosen.music, n_copies=chosen.copies, seed=chosen.seed),
        "extremes": partial(extremes.measure, chosen.references),
        "ingest": ingest.measure,
        "labels": labels.measure,
        "likeness": partial(
            likeness.measure,
            chosen.references,
            chosen.strangers,
            listed=chosen.protocol,
            kept=chosen.kept,
            n_tracks=chosen.tracks,
            n_excerpts=chosen.excerpts,
            only=chosen.only,
            lengths_s=chosen.lengths or (),
            changes=chosen.changes or (),
            answers=chosen.answers,
            seed=chosen.seed,
        ),
        "lists": lists.measure,
        "rights": rights.measure,
        "stems": partial(
            stems.measure,
            listed=chosen.protocol,
            modules=chosen.modules,
            kept=chosen.kept,
            n_tracks=chosen.tracks,
            n_excerpts=chosen.excerpts,
            seed=chosen.seed,
        ),
        "style": partial(style.measure, chosen.protocol),
    }
    if unknown := [name for name in chosen.names if name not in measures]:
        print(
            f"There is no benchmark {', '.join(unknown)}: choose among {', '.join(measures)}.",
            file=sys.stderr,
        )
        return 2
    try:
        for name in chosen.names or NAMES:
            for figure in measures[name]():
                print(figure.line(), flush=True)
    except NothingToMeasureError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
