"""What every command of the contract shares: whom it acts for, JSON lines, messages, and exit codes.

0 done; 1 finished, and the answer is no; 2 bad arguments or an input that can't be read; 3 a part is missing or down.
"""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from functools import cached_property
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError

from governance import services
from governance.errors import LinerNotesError
from governance.models import Organisation, User

DONE, ANSWER_IS_NO, BAD_INPUT, PART_MISSING = 0, 1, 2, 3


class _Parser(CommandParser):
    """Says what is wrong in one sentence, where argparse prints the whole usage first."""

    def error(self, message: str) -> NoReturn:
        if not self.called_from_command_line:
            super().error(message)
        command = self.prog.split()[-1]
        said = " ".join(message.split())
        self.exit(BAD_INPUT, f"{command}: {said} (see `manage.py {command} --help`)\n")


class ContractCommand(BaseCommand):
    """A command whose JSON goes to standard output, one object a line, and everything else to standard error."""

    requires_system_checks: list[str] = []
    acts_for_a_person = False
    queues_work = False
    engine_errors: tuple[type[Exception], ...] = ()
    user: User
    _called_from_command_line: bool
    as_json: bool

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.__class__ = _Parser
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object a line on standard output")
        if self.acts_for_a_person:
            parser.add_argument("--as", dest="as_user", metavar="USER", default="", help="act for this user")
        if self.queues_work:
            parser.add_argument("--wait", action="store_true", help="do the work in this process")
        self.add_own_arguments(parser)

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """Add the arguments of this command alone."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run; at the command line what went wrong is said in its sentence alone, without Django's "CommandError:"."""
        try:
            return super().execute(*args, **options)
        except CommandError as error:
            if not self._called_from_command_line or options.get("traceback"):
                raise
            self.stderr.write(str(error))
            sys.exit(error.returncode)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.as_json = options["json"]
            name = options.get("as_user") or ""
            self.user = services.user_named(name) if name else services.system_user()
            code = self.perform(**options)
        except LinerNotesError as error:
            raise CommandError(str(error), returncode=error.exit_code) from error
        except self.engine_errors as error:
            raise CommandError(str(error), returncode=BAD_INPUT) from error
        except (OperationalError, InterfaceError) as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else "no answer"
            raise CommandError(f"The database can't be reached: {first}", returncode=PART_MISSING) from error
        if code:
            self.stdout.flush()
            sys.exit(code)

    @cached_property
    def organisation(self) -> Organisation:
        """The one acted for; looked up when it is first needed, for looking it up may found it."""
        return services.home_organisation(self.user)

    def perform(self, **options: Any) -> int:
        """Do the work and return the exit code."""
        raise NotImplementedError

    def emit(self, line: dict[str, Any]) -> None:
        """Print one JSON object, at once."""
        written = json.dumps(line, ensure_ascii=False, allow_nan=False)
        # A file name that is no UTF-8 holds lone surrogates; written as \udcXX they are JSON like any other.
        self.stdout.write(written.encode(errors="backslashreplace").decode())
        self.stdout.flush()

    def tell(self, message: str) -> None:
        self.stderr.write(message, ending="\n", style_func=_plain)

    def show(self, line: dict[str, Any], *, words: str | Callable[[], str]) -> None:
        """Print ``line`` as JSON when asked to, else its words."""
        if self.as_json:
            self.emit(line)
        else:
            self.stdout.write(words() if callable(words) else words)


def _plain(message: str) -> str:
    return message
