import secrets
from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from audit import queries, services
from audit.commands import AuditCommand
from audit.errors import AuditError, UnmeasurableError
from audit.models import Campaign
from audit.reports.wording import figure as _figure
from generation import services as generation
from generation.models import ModelVersion
from governance.commands import DONE, PART_MISSING
from governance.errors import LinerNotesError

KINDS = (queries.MEMORISATION, "fairness", "quality", "robustness", "membership")
N_OUTPUTS = 20
SECONDS = 12.0
N_REMADE = 2


class Command(AuditCommand):
    help = "Measure a model: what it gives back, whose music it favours, what its checks miss."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", metavar="MODEL[@VERSION]")
        parser.add_argument("--campaign", required=True, choices=(*KINDS, "all"))
        parser.add_argument("--n", type=int, default=None, help="outputs to have, or excerpts to plant")
        parser.add_argument("--seed", type=int, default=None)

    def perform(self, **options: Any) -> int:
        if options["n"] is not None and not 1 <= options["n"] <= 500:
            raise AuditError(f"--n is {options['n']}: ask for 1 to 500.")
        version = self.model_named(options["model"])
        if options["campaign"] != "all":
            self.report(self.run(options["campaign"], version, options))
            return DONE
        code = DONE
        for kind in KINDS:
            try:
                self.report(self.run(kind, version, options))
            except UnmeasurableError as error:
                self.refused(kind, version, error)
                code = PART_MISSING
            except LinerNotesError as error:
                if error.exit_code != 1:
                    raise
                self.refused(kind, version, error)
                code = code or error.exit_code
        return code

    def run(self, kind: str, version: ModelVersion, options: dict[str, Any]) -> Campaign:
        chosen: dict[str, Any] = {}
        if kind == queries.MEMORISATION:
            self.make_enough(version, options["n"] or N_OUTPUTS, options["seed"])
            chosen["made_again"] = N_REMADE
        elif kind == "robustness" and options["n"]:
            chosen["n"] = options["n"]
        return services.run_campaign(
            kind=kind, version=version, by=self.user, now=timezone.now(), options=chosen
        )

    def make_enough(self, version: ModelVersion, n_wanted: int, seed: int | None) -> None:
        """Have the model make and check the outputs that are missing from the number wanted."""
        n_missing = n_wanted - len(queries.own_checks(version))
        if n_missing <= 0:
            return
        self.tell(f"{version} makes {n_missing} more outputs, each checked.")
        first = seed if seed is not None else secrets.randbelow(2**31)
        for made in generation.generate(
            version=version, by=self.user, seed=first, n=n_missing, seconds=SECONDS
        ):
            self.tell(f"  {made.check.verdict}: seed {made.generation.seed}")

    def report(self, campaign: Campaign) -> None:
        line = {
            "campaign": campaign.kind,
            "id": str(campaign.public_id),
            "model": str(campaign.model_version),
            "settings": campaign.settings,
            "figures": campaign.figures,
        }
        self.show(line, words=lambda: words_for(campaign))

    def refused(self, kind: str, version: ModelVersion, error: LinerNotesError) -> None:
        line = {"campaign": kind, "model": str(version), "figures": None, "refused": str(error)}
        self.show(line, words=f"{kind}: not measured. {error}")


def words_for(campaign: Campaign) -> str:
    figures = campaign.figures
    if campaign.kind == queries.MEMORISATION:
        return _memorisation_words(figures)
    if campaign.kind == "fairness":
        unknown = ", ".join(f"{name} {part['unknown_share']:.0%}" for name, part in figures["corpus"].items())
        return (
            f"fairness: of the training music, by seconds, unknown are {unknown}. Outputs are not measured."
        )
    if campaign.kind == "robustness":
        found = ", ".join(
            f"{one['alteration']} {one['found']}/{one['planted']}" for one in figures["planted"]
        )
        return f"robustness: planted copies found: {found}."
    if campaign.kind == "quality":
        sound, losses = figures["sound"], figures["losses"]
        told = (
            f"beats its baselines: {losses['beats_baselines']}"
            if losses["measured_here"]
            else "not measured here"
        )
        return (
            f"quality: held-out loss {_figure(losses['held_out_loss'])}, {told}; "
            f"loudness {sound['outputs']['loudness_db']['median']} dB of {sound['outputs']['n']} outputs, "
            f"{sound['training']['loudness_db']['median']} dB of {sound['training']['n']} training recordings."
        )
    return (
        f"membership: loss {_figure(figures['train_loss'])} on training, {_figure(figures['held_out_loss'])} on "
        f"held-out music, gap {_figure(figures['gap'])}."
    )


def _memorisation_words(figures: dict[str, Any]) -> str:
    flagged, control = figures["flagged"], figures["control"]
    beside = (
        f"control {control['model']}: {control['hits']} of {control['of']}"
        if control
        else "no control model to compare with"
    )
    return (
        f"memorisation: {flagged['hits']} of {flagged['of']} outputs flagged "
        f"({flagged['low']:.0%} to {flagged['high']:.0%}), {figures['confirmed']['hits']} confirmed; {beside}; "
        f"{figures['not_flagged']} not flagged."
    )
