from argparse import ArgumentParser
from typing import Any

from governance import access
from governance.commands import ANSWER_IS_NO, DONE
from provenance import queries
from provenance.commands import DatasetCommand, add_use_arguments, clearance_words, instant_or_now


class Command(DatasetCommand):
    help = "Answer for each recording: may it be used for that, there, then? With reasons."
    acts_for_a_person = True

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("reference", metavar="NAME[@VERSION]")
        add_use_arguments(parser)
        parser.add_argument("--at", metavar="ISO", help="as of that instant; default: now")
        parser.add_argument(
            "--model",
            default="",
            metavar="MODEL[@VERSION]",
            help="the model it is for: some grants name theirs",
        )

    def perform(self, **options: Any) -> int:
        dataset, version = queries.dataset_named(options["reference"], access.organisations_of(self.user))
        use = queries.use_for(
            purpose=options["purpose"],
            commercial=options["commercial"],
            territory=options["territory"],
            at=instant_or_now(options["at"]),
            model=options["model"] or (version.model if version else ""),
        )
        policy = queries.policy_of(dataset.organisation, options["policy"], at=use.at)
        summary = queries.ClearanceSummary.empty(queries.conditions_accepted(dataset, version))
        entries = queries.entries_to_clear(dataset, version)
        for cleared in queries.clear_entries(entries, use=use, policy=policy):
            summary.add(cleared)
            line = cleared.as_json()
            self.show(line, words=lambda line=line: clearance_words(line))  # type: ignore[misc]
        closing = {
            **summary.as_json(),
            "draft": version is None,
            "policy": {"name": policy.name, "version": policy.version, "sha256": policy.sha256},
            "at": use.at.isoformat(),
            "model": use.model or None,
        }
        words = ", ".join(f"{count} {answer}" for answer, count in summary.counts.items())
        self.show({"summary": closing}, words=f"{words} (policy {policy.reference})")
        return DONE if summary.all_clear else ANSWER_IS_NO
