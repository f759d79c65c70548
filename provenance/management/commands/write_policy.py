from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.utils import timezone

from governance import access
from governance.commands import DONE
from provenance import queries, services
from provenance.commands import DatasetCommand
from provenance.models import Dataset
from provenance.queries import policies, previews
from provenance.rights.changes import reading_changes
from provenance.rights.policy import policy_from_yaml
from provenance.rights.values import ANSWERS, PURPOSES


class Command(DatasetCommand):
    help = (
        "Propose how an organisation reads what is contested, and show what its datasets would then answer."
    )

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("organisation", metavar="ORGANISATION")
        parser.add_argument(
            "--from", dest="source", metavar="FILE", required=True, help="YAML as show_policy prints it"
        )
        parser.add_argument("--as", dest="as_user", metavar="USER", required=True)
        parser.add_argument("--reason", required=True)
        parser.add_argument("--dry-run", action="store_true", help="only show what would change")
        parser.add_argument("--purpose", default=PURPOSES[0], choices=PURPOSES, help="what to preview")
        parser.add_argument("--non-commercial", action="store_true", help="preview non-commercial use")

    def perform(self, **options: Any) -> int:
        organisation = policies.organisation_named(options["organisation"], self.user)
        access.require(self.user, organisation, access.PROPOSES_POLICIES, "propose a policy")
        policy = policy_from_yaml(*policies.read_file(Path(options["source"])))
        services.check_proposal(organisation, policy)
        now = timezone.now()
        before = queries.policy_of(organisation, at=now)
        use = queries.use_for(
            purpose=options["purpose"], commercial=not options["non_commercial"], territory="", at=now
        )
        datasets = Dataset.objects.filter(organisation=organisation).order_by("name")
        for one in previews.preview(datasets, before=before, after=policy, use=use):
            self.show({"preview": one.as_json()}, words=_preview_words(one))
        changes = reading_changes(before, policy)
        line: dict[str, Any] = {
            "organisation": organisation.name,
            "policy": policy.name,
            "replaces": before.reference,
            "readings_stricter": sum(change.direction == "stricter" for change in changes),
            "readings_looser": sum(change.direction == "looser" for change in changes),
            "dry_run": options["dry_run"],
            "review": None,
        }
        if not options["dry_run"]:
            proposed, review = services.propose_policy(
                organisation=organisation, policy=policy, reason=options["reason"], by=self.user, now=now
            )
            line |= {
                "policy": str(proposed),
                "id": str(proposed.public_id),
                "sha256": proposed.sha256,
                "review": str(review.public_id),
            }
        self.show(line, words=_words(line))
        return DONE


def _preview_words(one: previews.DatasetPreview) -> str:
    counts = ", ".join(f"{answer} {one.before[answer]} → {one.after[answer]}" for answer in reversed(ANSWERS))
    return f"{one.dataset.name}: {one.n_changed} of {one.n_recordings} answers change ({counts})"


def _words(line: dict[str, Any]) -> str:
    changed = f"{line['readings_stricter']} readings stricter, {line['readings_looser']} looser"
    if line["dry_run"]:
        return f"{changed} than {line['replaces']}. Nothing was written."
    return (
        f"{line['policy']} is proposed: {changed} than {line['replaces']}, which holds until a compliance officer "
        f"who did not propose it decides (decide_policy {line['policy']} …, or the review's page)."
    )
