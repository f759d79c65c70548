"""What a label asks of a large dataset: is our catalogue in there, and may none of it be trained on.

    make bench ARGS=labels

A dataset of N recordings without audio against a catalogue of N titles: of ten rows four name a recording as the dataset
does, one by its ISRC alone, one with a letter missing, and four are not there. Then one opt-out for all N: first as a
list, then as the dataset. Each figure stands beside the cost a row at the size before; that of 1,000 is mostly the start.
"""

import csv
import random
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.figures import Figure, Ran, run_command
from benchmarks.rights import SIZES, wait_for_the_servers_to_stop

CONSONANTS, VOWELS = "bcdfghjklmnprstvwz", "aeiou"
N_WORDS = 8_000
SONGS_OF_AN_ARTIST = 12
HEADER = ("external_id", "title", "artist", "isrc", "duration")
KINDS = ("same", "same", "same", "same", "isrc", "typo", "stranger", "stranger", "stranger", "stranger")

Song = tuple[str, str, str, str, str]


def measure() -> Iterator[Figure]:
    """Yield seconds, processor time and peak memory of each question, at each size."""
    before: dict[str, tuple[int, float]] = {}
    with tempfile.TemporaryDirectory(prefix="liner-bench-", ignore_cleanup_errors=True) as folder:
        data_dir = Path(folder) / "data"
        for size in SIZES:
            for name, ran in _asked(size, Path(folder), data_dir):
                each, label = ran.seconds / size, f"{name}_{size // 1000}k"
                n_before, cost = before.get(name, (size, each))
                before[name] = size, each
                yield Figure(f"{label}_s", ran.seconds, "s", f"a_row_at_{n_before // 1000}k", each / cost)
                yield Figure(
                    f"{label}_cpu_s", ran.cpu_seconds, "s_cpu", "wall", ran.cpu_seconds / ran.seconds
                )
                yield Figure(f"{label}_mb", ran.peak_mb, "MB")
                for answer, n in _answers(ran).items():
                    yield Figure(f"{label}_{answer}", n / size, "share_of_rows")
        wait_for_the_servers_to_stop(data_dir)


def _asked(size: int, folder: Path, data_dir: Path) -> Iterator[tuple[str, Ran]]:
    rng = random.Random(size)
    words = _words(rng)
    songs = [_song(rng, words, number, f"{size}-{number}", "QZ") for number in range(size)]
    dataset, name = folder / f"dataset-{size}.csv", f"bench-{size}"
    _write(dataset, songs)
    run_command("register_dataset", name, "--from", str(dataset), "--wait", "--json", data_dir=data_dir)
    catalogue = folder / f"catalogue-{size}.csv"
    _write(catalogue, [_row(rng, words, number, song) for number, song in enumerate(songs)])
    yield (
        "match",
        run_command(
            *("match_catalogue", str(catalogue), "--against", name, "--wait", "--json"),
            data_dir=data_dir,
            keep_last_line=True,
        ),
    )
    listed = folder / f"listed-{size}.txt"
    listed.write_text("".join(f"{song[0]}\n" for song in songs), encoding="utf-8")
    for what, about in (("list", ("--recordings-from", str(listed))), ("dataset", ("--dataset", name))):
        party = f"Label of {what} {size}"
        yield (
            f"reserve_{what}",
            run_command("declare_reservation", "--party", party, *about, "--json", data_dir=data_dir),
        )


def _words(rng: random.Random) -> list[str]:
    """Return words that are said, the common ones as often as in a language: each as often as its rank is low."""
    syllables = [consonant + vowel for consonant in CONSONANTS for vowel in VOWELS]
    drawn = {
        "".join(rng.choices(syllables, k=rng.randint(1, 4))) + rng.choice(CONSONANTS) for _ in range(N_WORDS)
    }
    known = sorted(drawn)
    return rng.choices(known, weights=[1 / (10 + rank) for rank in range(len(known))], k=20 * N_WORDS)


def _song(rng: random.Random, words: list[str], number: int, external_id: str, registrant: str) -> Song:
    title = " ".join(rng.choices(words, k=rng.randint(1, 4)))
    album = random.Random(number // SONGS_OF_AN_ARTIST)
    artist = " ".join(album.choices(words, k=2))
    return (external_id, title, artist, f"{registrant}AAA26{number:05}", str(rng.randint(90, 400)))


def _row(rng: random.Random, words: list[str], number: int, song: Song) -> Song:
    kind, own = KINDS[number % len(KINDS)], f"row-{number}"
    if kind == "stranger":
        return (*_song(rng, words, number * 31 + 7, own, "QM")[:3], "", song[4])
    if kind == "isrc":
        return (own, "", "", song[3], "")
    if kind == "typo":
        at = rng.randrange(len(song[1]))
        return (own, song[1][:at] + song[1][at + 1 :], song[2], "", song[4])
    return (own, song[1], song[2], "", song[4])


def _write(path: Path, songs: list[Song]) -> None:
    with path.open("w", newline="", encoding="utf-8") as opened:
        written = csv.writer(opened)
        written.writerow(HEADER)
        written.writerows(songs)


def _answers(ran: Ran) -> dict[str, int]:
    counts: Mapping[str, int] = next(iter(ran.last_line.get("summary", {}).get("datasets", ())), {})
    return {name: counts[name] for name in ("found", "probable", "not_found") if name in counts}
