"""`python -m benchmarks [NAME …]`: measure, and print a line a figure: name value unit baseline ratio.

Machines are shared and noisy: read the ratios, each taken beside its baseline in the same run.
"""

import sys
from collections.abc import Callable, Iterable

from benchmarks import ingest, rights
from benchmarks.figures import Figure

BENCHMARKS: dict[str, Callable[[], Iterable[Figure]]] = {"ingest": ingest.measure, "rights": rights.measure}


def main(names: list[str]) -> int:
    if unknown := [name for name in names if name not in BENCHMARKS]:
        print(
            f"There is no benchmark {', '.join(unknown)}: choose among {', '.join(BENCHMARKS)}.",
            file=sys.stderr,
        )
        return 2
    for name in names or list(BENCHMARKS):
        for figure in BENCHMARKS[name]():
            print(figure.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
