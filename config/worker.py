"""A worker: `python -m config.worker [--queues default,gpu] [--concurrency N]`."""

import argparse
import os
import sys

from config import servers

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m config.worker", description=__doc__)
    parser.add_argument(
        "--queues", default="default,gpu", help="names of queues, with commas (default: both)"
    )
    parser.add_argument("--concurrency", type=int, default=2, help="tasks at once, in threads (default: 2)")
    parser.add_argument("--loglevel", default="INFO")
    options = parser.parse_args()
    return servers.run(lambda: work(options.queues, options.concurrency, options.loglevel))


def work(queues: str, concurrency: int, loglevel: str) -> None:
    servers.start()
    from config.celery import app

    app.worker_main(
        [
            "worker",
            f"--queues={queues}",
            f"--concurrency={concurrency}",
            f"--loglevel={loglevel}",
            "--without-gossip",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
