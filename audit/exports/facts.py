"""What exports of a model are made of, read once from the rows."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Sum

from audit import queries
from audit.models import Assessment, Campaign
from audit.queries import TrainingRecording
from generation import queries as generation
from generation.models import Generation, ModelVersion, TrainingRun
from generation.queries import Gate
from governance.models import Review
from provenance.models import DatasetVersion
from provenance.rights.terms import conditions


@dataclass(frozen=True)
class ModelFacts:
    version: ModelVersion
    at: datetime
    run: TrainingRun | None
    trained_on: DatasetVersion | None
    recordings: list[TrainingRecording]
    gate: Gate
    decision: Review | None
    memorisation: Campaign | None
    robustness: Campaign | None
    assessment: Assessment | None
    verdicts: dict[str, int]
    n_outputs: int
    seconds_generated: float
    false_alarms: str  # a sentence

    @property
    def provider(self) -> str:
        return self.version.model.organisation.name

    @property
    def run_on(self) -> date | None:
        """The day on which training began; None for a model that was trained elsewhere."""
        return self.run.started_at.date() if self.run is not None else None

    @property
    def licences(self) -> dict[str, tuple[int, float]]:
        """Recordings and seconds of the training music under each licence."""
        counted: dict[str, tuple[int, float]] = {}
        for one in self.recordings:
            n, seconds = counted.get(one.licence, (0, 0.0))
            counted[one.licence] = (n + 1, seconds + (one.leaf.recording.seconds or 0.0))
        return dict(sorted(counted.items(), key=lambda pair: (-pair[1][0], pair[0])))

    @property
    def conditions(self) -> dict[str, str]:
        """The conditions that a reviewer accepted, each with what whoever accepts it promises."""
        accepted = self.trained_on.conditions_accepted if self.trained_on else []
        return {name: conditions().get(name, "") for name in accepted}

    @property
    def losses(self) -> dict[str, float]:
        figures: dict[str, Any] = self.version.metrics or {}
        return {
            name: value for name, value in figures.items() if name.endswith("_loss") and value is not None
        }


def model_facts(version: ModelVersion, *, at: datetime) -> ModelFacts:
    trained_on = version.dataset_version
    made = Generation.objects.filter(model_version=version)
    return ModelFacts(
        version=version,
        at=at,
        run=queries.training_run_of(version),
        trained_on=trained_on,
        recordings=queries.training_recordings(trained_on) if trained_on else [],
        gate=generation.gate_of(version, at=at),
        decision=generation.last_decision(version),
        memorisation=queries.newest_campaign(version, queries.MEMORISATION),
        robustness=queries.newest_campaign(version, "robustness"),
        assessment=queries.newest_assessment(version, "raim"),
        verdicts=generation.verdict_counts(version).as_json(),
        n_outputs=made.count(),
        false_alarms=queries.false_alarms_said(queries.own_checks(version)),
        seconds_generated=made.aggregate(total=Sum("seconds"))["total"] or 0.0,
    )
