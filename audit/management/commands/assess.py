from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from audit import services
from audit.commands import AuditCommand
from audit.frameworks import loader
from audit.models import Assessment
from audit.reports.wording import word
from governance.commands import DONE


class Command(AuditCommand):
    help = "Hold a model against a framework: every feature with its answer, its reason and its evidence."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", metavar="MODEL[@VERSION]")
        parser.add_argument("--framework", default="raim", choices=loader.available())

    def perform(self, **options: Any) -> int:
        version = self.model_named(options["model"])
        assessment = services.assess(
            version=version, framework=options["framework"], by=self.user, now=timezone.now()
        )
        names = {feature.id: feature.name for feature in loader.load(assessment.framework).features}
        answers = {answer.feature: answer for answer in assessment.answers.all()}
        for feature, name in names.items():
            answer = answers[feature]
            line = {
                "feature": feature,
                "name": name,
                "conformance": answer.conformance,
                "reason": answer.reason,
                "evidence": answer.evidence,
            }
            self.show(line, words=f"{feature:<5} {word(answer.conformance):<14} {name}: {answer.reason}")
        self.show({"summary": summary_of(assessment)}, words=lambda: summary_words(assessment))
        return DONE


def summary_of(assessment: Assessment) -> dict[str, Any]:
    counts = dict.fromkeys(("met", "partly", "not_met", "not_applicable", "not_assessed"), 0)
    for answer in assessment.answers.all():
        counts[answer.conformance] += 1
    return {
        "assessment": str(assessment.public_id),
        "model": str(assessment.model_version),
        "framework": assessment.framework,
        "framework_version": assessment.framework_version,
        "coverage": {"features": assessment.n_features, "with_evidence": assessment.n_evidenced},
        "conformance": counts,
    }


def summary_words(assessment: Assessment) -> str:
    summary = summary_of(assessment)
    counted = ", ".join(f"{n} {word(answer)}" for answer, n in summary["conformance"].items())
    return (
        f"{assessment.n_evidenced} of {assessment.n_features} features have evidence (coverage). {counted}. "
        "The framework defines no score, so none is given."
    )
