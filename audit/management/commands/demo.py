import json
import socket
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections
from django.utils import timezone
from rich.console import Console

from audit.demo import loop, music, people, show
from audit.demo.plan import MODELS
from governance.commands import ANSWER_IS_NO, DONE, ContractCommand
from lib.processes import Crew
from provenance.audio import AudioError
from provenance.intake.errors import IntakeError


class Command(ContractCommand):
    help = "Run the whole loop on real music, then stay up with the pages and a worker."
    engine_errors = (IntakeError, AudioError)

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--music", default="", metavar="DIR", help="own music: a folder with a CSV")
        parser.add_argument("--policy", choices=("default", "strict"), default="default")
        parser.add_argument("--exit", action="store_true", help="do not stay up")
        parser.add_argument("--port", type=int, default=8000)

    def perform(self, **options: Any) -> int:
        self.console = Console(stderr=True, highlight=False)
        if not self.console.is_terminal:
            self.console.width = 120
        started = time.monotonic()
        try:
            summary, problems = self.run(options["music"], options["policy"])
            summary["seconds"] = round(time.monotonic() - started, 1)
            if not options["exit"] and not problems:
                self.stay_up(options["port"])
        except KeyboardInterrupt:
            loop.stop_children()
            self.console.print("Stopped. What was done is kept: run it again to go on.")
            return ANSWER_IS_NO
        finally:
            loop.stop_children()
        for problem in problems:
            self.console.print(f"[bold]Not as it should be:[/bold] {problem}.")
        self.stdout.write(json.dumps({"demo": summary}))
        return ANSWER_IS_NO if problems else DONE

    def run(self, own_music: str, policy: str) -> tuple[dict[str, Any], list[str]]:
        home = Path(settings.DATA_DIR) / "demo"
        who = people.gather(home, now=timezone.now())
        self.passwords = who.passwords
        with self.step("Fetch the music"):
            found = music.sources(own_music, home / "packages")
        with self.step("Register, decode and fingerprint it, and look for conflicts"):
            dataset = loop.register(found, who, self.note)
        self.holder = loop.seat_the_label(dataset, who)
        n_recordings = dataset.entries.count()
        readings = [loop.clear(dataset, name) for name in ("strict", "default")]
        show.clearance(self.console, readings, n_recordings)
        conflicts = loop.open_conflicts(dataset)
        show.conflicts(self.console, conflicts)
        with self.step("Have the officer approve it, and freeze two versions that share no recording"):
            conditions = loop.approve(dataset, who, policy)
            versions = loop.freeze(dataset, who, policy)
        show.versions(self.console, versions, conditions, n_recordings, policy)
        fallen = {planned.name: loop.why_not(planned, versions[planned.half]) for planned in MODELS}
        show.fallen(self.console, fallen)
        training = versions["training"]
        assert training is not None  # noqa: S101 — freezing nothing is an error above
        with self.step("Build the indexes"):
            loop.index(list(versions.values()), who)
        connections.close_all()  # the threads below open their own
        with self.step(show.training(fallen)):
            models = loop.train(versions, who, self.note)
        with self.step("Generate, and check every output before it leaves"):
            loop.generate(models, home / "outputs", self.note)
            loop.check_controls(models, training, who, self.note)
        judged = loop.judge(models)
        with self.step("Report, sign and verify"):
            folders = loop.report(judged, who, home / "reports", self.note)
            good, refused = loop.verify(folders)
            loop.ask_release(judged, who)
        show.models(self.console, judged, MODELS, fallen)
        show.reports(self.console, folders, good, refused)
        problems = loop.problems_with(judged)
        if not good:
            problems.append("a report does not verify")
        if not refused:
            problems.append("a report with one byte changed was accepted")
        by_policy = {reading.policy: reading for reading in readings}
        summary = {
            "recordings": n_recordings,
            "conflicts": len(conflicts),
            "policies": {
                "strict": by_policy["strict"].as_json(),
                "accepted": by_policy["default"].as_json(),
            },
            "trained_under": policy,
            "not_trained": {name: why for name, why in fallen.items() if why},
            "models": [show.model_json(one) for one in judged],
            "reports_verified": good and refused,
        }
        return summary, problems

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        began = time.monotonic()
        self.status = self.console.status(f"{title} …")
        self.title = title
        with self.status:
            yield
        self.console.print(f"[green]✓[/green] {title} [dim]({time.monotonic() - began:.0f} s)[/dim]")

    def note(self, message: str) -> None:
        self.status.update(f"{self.title} … [dim]{message[:90]}[/dim]")

    def stay_up(self, wanted_port: int) -> None:
        """Serve the pages with a worker beside until Ctrl-C, then stop both."""
        port = free_port(wanted_port)
        logs = Path(settings.DATA_DIR) / "demo"
        web = [
            sys.executable,
            "-m",
            "gunicorn",
            "config.wsgi",
            "--bind",
            f"127.0.0.1:{port}",
            "--threads",
            "4",
        ]
        with Crew() as crew:
            programs = [
                crew.start(web, log=logs / "web.log"),
                crew.start([sys.executable, "-m", "config.worker"], log=logs / "worker.log"),
            ]
            show.address(
                self.console, f"http://127.0.0.1:{port}/", self.passwords, people.LOGINS, self.holder
            )
            while all(program.poll() is None for program in programs):
                time.sleep(0.5)
        self.console.print(f"A program ended by itself: {logs} holds what it said.")


def free_port(wanted: int) -> int:
    """Return the first port from ``wanted`` on that nobody listens on."""
    for port in range(wanted, wanted + 50):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    return wanted
