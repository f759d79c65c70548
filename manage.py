#!/usr/bin/env python
"""Liner Notes by command line: starts the servers that a command needs, then runs it."""

import os
import signal
import sys
import warnings


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # idle threads of FAISS and torch must not spin
    from config import servers

    return servers.run(run_command)


def run_command() -> None:
    from django.core.management import execute_from_command_line

    from config import servers

    servers.load_settings()
    if not servers.needed_by(sys.argv):
        warnings.filterwarnings("ignore", "Got an error checking a consistent migration history")
        execute_from_command_line(sys.argv)
        return
    tidy = sys.argv[1] in servers.LEAVE_NOTHING_RUNNING
    if tidy:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # to be ended is to be interrupted
    use = servers.start_for_command(sys.argv[1])
    try:
        execute_from_command_line(sys.argv)
    finally:
        if use and tidy:
            use.release(stop=True)


if __name__ == "__main__":
    sys.exit(main())
