"""What strangers may read of a model: the five questions of its card, and the credits that licences ask for.

Counts and hashes leave; no dataset, grant, reviewer or reason does. A recording is named only where its own public
licence asks for its credit and the house accepted that: what came in under a deal stays between those who made it.
What the officer published is a version; its figures are those of the moment it is read, so a revocation shows at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from audit import queries
from audit.models import Report
from generation import queries as generation
from generation.models import ModelVersion, Publication
from generation.queries import Gate, VerdictCounts, overviews
from governance.errors import NotFoundError
from governance.models import Decision, Review
from provenance.models import DatasetEntry, DatasetVersion, VersionEntry
from provenance.rights.terms import conditions

ASK_FOR_CREDIT = frozenset({"attribution", "notice"})


@dataclass(frozen=True)
class Credit:
    title: str
    by: str
    licence: str
    source_url: str


@dataclass(frozen=True)
class PublicCard:
    """A version's card. ``n_used`` and the training's figures are None where nobody could say what went in."""

    version: ModelVersion
    published_at: datetime | None
    counts: VerdictCounts
    control: VerdictCounts | None
    gate: Gate
    decided: Review | None
    licences: Sequence[tuple[str, int]]
    n_used: int | None
    covers_all: bool | None
    calibrated: bool
    report: Report | None
    credits: Sequence[Credit] = ()
    same_weights: Sequence[ModelVersion] = ()
    """Of a version without its music: those whose music is on record, as far as their cards are public too."""

    @property
    def public_id(self) -> UUID:
        return self.version.public_id

    @property
    def trained_on(self) -> DatasetVersion | None:
        return self.version.dataset_version

    @property
    def may_use(self) -> str:
        """``approved``, ``undecided``, or ``closed`` where a person or a licence forbids it now."""
        if not self.gate.is_open:
            return "closed"
        return "approved" if self.decided and self.decided.decision == Decision.APPROVED else "undecided"

    @property
    def why_closed(self) -> list[str]:
        """Why outputs may not leave, in words that name no recording and no deal."""
        return list(self.gate.in_public)

    @property
    def is_known_by_its_weights(self) -> bool:
        """Whether the same weights stand elsewhere in the house with their music on record."""
        return bool(self.gate.origin)

    @property
    def promises(self) -> list[tuple[str, str]]:
        """Conditions of the training music that were accepted, each with what whoever accepts it promises."""
        accepted = self.trained_on.conditions_accepted if self.trained_on else []
        return [(name, conditions().get(name, "")) for name in accepted]


def public_versions() -> QuerySet[ModelVersion]:
    return (
        ModelVersion.objects.filter(publications__withdrawn_at=None, publications__isnull=False)
        .select_related("model", "model__organisation", "dataset_version", "dataset_version__dataset")
        .order_by("model__name", "model_id", "-number")
    )


def public_version(public_id: UUID | str) -> ModelVersion:
    """Return a published version; one that is not is as if it did not exist."""
    found = public_versions().filter(public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no public card here. It may have been withdrawn.")
    return found


def card_of(version: ModelVersion, *, at: datetime) -> PublicCard:
    (card,) = overviews.cards([version], at=at)
    index = overviews.index_of(version)
    control = overviews.control_of(version)
    newest = queries.own_checks(version)
    published = Publication.objects.filter(model_version=version, withdrawn_at=None).first()
    return PublicCard(
        version=version,
        published_at=published.published_at if published else None,
        counts=card.counts,
        control=control.counts if control else None,
        gate=card.gate,
        decided=card.decided,
        licences=_licences(version),
        n_used=card.n_used,
        covers_all=index.covers_all if index else None,
        calibrated=bool(newest) and all(check.policy.get("calibrated") for check in newest),
        report=Report.objects.filter(assessment__model_version=version).order_by("-id").first(),
        credits=_credits(version),
        same_weights=_same_weights(version),
    )


def _same_weights(version: ModelVersion) -> list[ModelVersion]:
    found = generation.origins_of([version]).get(version.pk, [])
    return list(public_versions().filter(pk__in=[one.pk for one in found])) if found else []


def _licences(version: ModelVersion) -> list[tuple[str, int]]:
    """Count the training music by licence; what was made for one house only is one line, whatever it is called."""
    if version.dataset_version is None:
        return []
    counted: dict[str, int] = {}
    for licence, _, n in overviews.licences_of(version.dataset_version):
        name = "a licence of its own" if licence.startswith("LicenseRef") else licence
        counted[name] = counted.get(name, 0) + n
    return sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))


def _credits(version: ModelVersion) -> list[Credit]:
    """Return the recordings whose public licence asks to be named, as its taker promised."""
    trained_on = version.dataset_version
    if trained_on is None or not ASK_FOR_CREDIT & set(trained_on.conditions_accepted):
        return []
    asking = [one for one in queries.training_recordings(trained_on) if asks_for_credit(one.leaf)]
    credits = [
        Credit(
            one.title,
            one.artist or _holders(one.entry),
            one.public_licence,
            _address(one.entry.source_url if one.entry else ""),
        )
        for one in asking
    ]
    return sorted(credits, key=lambda credit: (credit.title.casefold(), credit.by))


def _holders(entry: DatasetEntry | None) -> str:
    names = [name for said in entry.statements.all() for name in said.holders] if entry else []
    return "; ".join(dict.fromkeys(names))


def asks_for_credit(leaf: VersionEntry) -> bool:
    """Tell whether a public licence asks that a recording be named; what came in under a deal is not spoken of."""
    rights = [leaf.manifest.get(right) or {} for right in ("master", "composition")]
    if any(right.get("grant") or (right.get("licence") or "").startswith("LicenseRef") for right in rights):
        return False
    return any(ASK_FOR_CREDIT & set(right.get("conditions") or ()) for right in rights)


def _address(url: str) -> str:
    return url if url.startswith(("https://", "http://")) else ""
