"""Which datasets, recordings and grants a person may know of."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from governance.access import Person, houses_of, labels_of, may, organisations_of
from governance.errors import NotFoundError
from governance.models import Member, Role, User
from provenance.models import (
    Catalogue,
    CatalogueAnswer,
    CatalogueMatch,
    CatalogueRun,
    Conflict,
    Dataset,
    DatasetEntry,
    DatasetKind,
    DatasetVersion,
    EvidenceDocument,
    ExceptionMemo,
    Grant,
    GrantRecording,
    IndexBuild,
    LicenceStatement,
    Party,
    Recording,
    Reservation,
    ReservationRecording,
    Right,
    RightsClaim,
    VersionEntry,
)

Stretch = tuple[float, float]
AROUND_S = 2.0  # heard before and after what was found: where it begins is known to a fraction of a second
READS_MEMOS = (Role.COMPLIANCE_OFFICER, Role.DATA_STEWARD, Role.EXTERNAL_AUDITOR)


def datasets_for_reading(user: Person) -> QuerySet[Dataset]:
    """Return the datasets that ``user`` may know of: a label's guest not the protected collections of others.

    Of what models learn from it reads the names, for it may ask of each what of its catalogue is in there.
    """
    known = Q(organisation__in=houses_of(user))
    if labels := labels_of(user):
        known |= Q(organisation__in=labels) & (Q(kind=DatasetKind.TRAINING) | Q(pk__in=_holding_own(user)))
    return Dataset.objects.filter(known).select_related("organisation")


def datasets_holding_own(user: Person) -> QuerySet[Dataset]:
    """Return those of them in which ``user`` may read a recording: what there is to narrow a list by."""
    known = Q(organisation__in=houses_of(user))
    if labels := labels_of(user):
        known |= Q(organisation__in=labels) & Q(pk__in=_holding_own(user))
    return Dataset.objects.filter(known).select_related("organisation")


def _holding_own(user: Person) -> QuerySet[DatasetEntry, Any]:
    return DatasetEntry.objects.filter(_own_recordings(user, path="recording__")).values("dataset")


def dataset_for_reading(user: Person, public_id: UUID | str) -> Dataset:
    found = datasets_for_reading(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such dataset.")
    return found


def version_for_reading(user: Person, public_id: UUID | str) -> DatasetVersion:
    found = (
        DatasetVersion.objects.filter(dataset__organisation__in=organisations_of(user), public_id=public_id)
        .select_related("dataset", "dataset__organisation", "frozen_by")
        .first()
    )
    if found is None:
        raise NotFoundError("There is no such dataset version.")
    return found


def index_for_reading(user: Person, public_id: UUID | str) -> IndexBuild:
    """Return an index of a dataset that ``user`` may read."""
    found = (
        IndexBuild.objects.filter(dataset__in=datasets_for_reading(user).values("pk"), public_id=public_id)
        .select_related("dataset", "dataset__organisation", "version", "version__dataset")
        .first()
    )
    if found is None:
        raise NotFoundError("There is no such index.")
    return found


def parties_of(user: Person) -> QuerySet[Party]:
    """Return the parties that stand for an organisation which ``user`` audits for as a label, in whose register ever."""
    return Party.objects.filter(stands_for__in=labels_of(user))


def recordings_for_reading(user: Person) -> QuerySet[Recording]:
    """Return the recordings of the houses that ``user`` reads whole, and where they are a label's guest, the label's."""
    return Recording.objects.filter(readable_recordings(user)).select_related("organisation", "work")


def readable_recordings(user: Person, *, path: str = "") -> Q:
    """Return the condition that a recording, reached over ``path`` (as ``recording__``), is one ``user`` may know of.

    A label's are those which a claim, a grant or an opt-out of its own party names, and those found for sure in a
    catalogue that it brought. Of all others it learns how many there are, and nothing else.
    """
    whole = Q(**{f"{path}organisation__in": houses_of(user)})
    labels = labels_of(user)
    if not labels:
        return whole
    return whole | (Q(**{f"{path}organisation__in": labels}) & _own_recordings(user, path=path))


def _own_recordings(user: Person, *, path: str = "") -> Q:
    parties = parties_of(user).values("pk")
    claimed = RightsClaim.objects.filter(party__in=parties).values("recording")
    granted = GrantRecording.objects.filter(grant__licensor__in=parties).values("recording")
    reserved = ReservationRecording.objects.filter(reservation__party__in=parties).values("recording")
    found = CatalogueMatch.objects.filter(
        answer=CatalogueAnswer.FOUND, run__is_latest=True, run__catalogue__in=catalogues_for_reading(user)
    ).values("recording")
    key = f"{path}pk__in"
    return Q(**{key: claimed}) | Q(**{key: granted}) | Q(**{key: reserved}) | Q(**{key: found})


def entries_for_reading(user: Person, entries: QuerySet[DatasetEntry]) -> QuerySet[DatasetEntry]:
    """Return those of a dataset's entries that ``user`` may know of."""
    if not labels_of(user):
        return entries  # who may know of the dataset, and is no label's guest, reads it whole
    return entries.filter(readable_recordings(user, path="recording__"))


def stretches_for_hearing(user: Person, recording: Recording) -> tuple[Stretch, ...] | None:
    """Return the stretches, in seconds, of a recording it may read that ``user`` may hear; None where that is all of it.

    A label's guest hears whole what it claims, granted or brought sample for sample. Of what was found in a catalogue
    that it brought it hears where that was heard, and a little around it: no clip and no ISRC opens another's recording.
    """
    if recording.organisation in houses_of(user):
        return None
    parties = parties_of(user).values("pk")
    if (
        RightsClaim.objects.filter(recording=recording, party__in=parties, withdrawn_at=None).exists()
        or GrantRecording.objects.filter(recording=recording, grant__licensor__in=parties).exists()
    ):
        return None
    found = CatalogueMatch.objects.filter(
        recording=recording,
        answer=CatalogueAnswer.FOUND,
        run__is_latest=True,
        run__catalogue__in=catalogues_for_reading(user),
    )
    said = [one for evidence in found.order_by("id").values_list("evidence", flat=True) for one in evidence]
    if any(one["kind"] == "samples" for one in said):
        return None
    heard = {
        (
            max(0.0, one["recording_start_s"] - AROUND_S),
            one["recording_start_s"] + one["agreed_s"] + AROUND_S,
        )
        for one in said
        if one["kind"] == "fingerprint"
    }
    return tuple(sorted(heard))


def rights_for_reading(user: Person, recordings: Iterable[Recording]) -> dict[int, frozenset[str]]:
    """Return, for a label's guest, which rights in each recording are the label's; of a house read whole, nothing."""
    if not labels_of(user):
        return {}
    whole = {one.pk for one in houses_of(user)}
    asked = [one.pk for one in recordings if one.organisation_id not in whole]
    found: dict[int, set[str]] = {pk: set() for pk in asked}
    parties = parties_of(user).values("pk")
    rows: list[tuple[int, str]] = [
        *RightsClaim.objects.filter(recording__in=asked, party__in=parties).values_list("recording", "right"),
        *GrantRecording.objects.filter(recording__in=asked, grant__licensor__in=parties).values_list(
            "recording", "grant__right"
        ),
        *ReservationRecording.objects.filter(recording__in=asked, reservation__party__in=parties).values_list(
            "recording", "reservation__right"
        ),
    ]
    for recording, right in rows:
        found[recording] |= {Right.MASTER.value, Right.COMPOSITION.value} if right == "both" else {right}
    return {pk: frozenset(rights) for pk, rights in found.items()}


def manifest_for_reading(entry: VersionEntry, held: Mapping[int, frozenset[str]]) -> dict[str, Any]:
    """Return a frozen leaf, without what it says of rights that others hold where `rights_for_reading` names own."""
    if entry.recording_id not in held:
        return dict(entry.manifest)
    open_to = {"recording", "external_id", "sha256", "answer", *held[entry.recording_id]}
    return {name: value for name, value in entry.manifest.items() if name in open_to}


def claims_for_reading(user: Person) -> QuerySet[RightsClaim]:
    """Return the claims of the houses that ``user`` reads whole, and elsewhere those of the label's own parties."""
    own = Q(recording__organisation__in=labels_of(user), party__in=parties_of(user))
    return RightsClaim.objects.filter(Q(recording__organisation__in=houses_of(user)) | own).select_related(
        "recording", "recording__organisation", "party"
    )


def statements_for_reading(user: Person) -> QuerySet[LicenceStatement]:
    """Return what sources say about licences; a label reads it of the rights that it claims, granted or reserved."""
    whole = Q(entry__dataset__organisation__in=houses_of(user))
    if not labels_of(user):
        return LicenceStatement.objects.filter(whole)
    parties = parties_of(user).values("pk")
    same = {"recording": OuterRef("entry__recording")}
    own = (
        Exists(RightsClaim.objects.filter(**same, party__in=parties, right=OuterRef("right")))
        | Exists(
            GrantRecording.objects.filter(**same, grant__licensor__in=parties, grant__right=OuterRef("right"))
        )
        | Exists(
            ReservationRecording.objects.filter(
                **same, reservation__party__in=parties, reservation__right__in=[OuterRef("right"), "both"]
            )
        )
    )
    guest = Q(entry__dataset__organisation__in=labels_of(user)) & Q(own)
    return LicenceStatement.objects.filter(whole | guest)


def conflicts_for_reading(user: Person) -> QuerySet[Conflict]:
    """Return the conflicts of the houses that ``user`` reads whole: one side's evidence names the other side."""
    return Conflict.objects.filter(organisation__in=houses_of(user)).select_related(
        "organisation", "recording_a", "recording_b", "resolved_by"
    )


def evidence_for_reading(user: Person) -> QuerySet[EvidenceDocument]:
    """Return what is kept in the houses that ``user`` reads whole: that it is there, not what it says."""
    return EvidenceDocument.objects.filter(organisation__in=houses_of(user)).select_related(
        "organisation", "received_from"
    )


def document_for_reading(user: Person, public_id: UUID | str) -> EvidenceDocument:
    found = evidence_for_reading(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such document.")
    return found


def recording_for_reading(user: Person, public_id: UUID | str) -> Recording:
    found = recordings_for_reading(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such recording.")
    return found


def grants_for_reading(user: Person) -> QuerySet[Grant]:
    """Return the grants of one's own house, and those of others that one's house gave or was given.

    Whose grant it is to read elsewhere is said by the party that stands for a house (`identify_party`). A label's
    auditor reads within a house what the label gave, not all that the house itself was given.
    """
    own = organisations_of(user)
    named = Party.objects.filter(stands_for__in=own).values("pk")
    elsewhere = ~Q(organisation=F("licensee__stands_for"))
    return Grant.objects.filter(
        Q(organisation__in=houses_of(user)) | Q(licensor__in=named) | (Q(licensee__in=named) & elsewhere)
    ).select_related("organisation", "licensor", "licensee")


def grant_for_reading(user: Person, public_id: UUID | str) -> Grant:
    found = grants_for_reading(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such grant.")
    return found


def grant_or_deal_for_reading(user: Person, public_id: UUID | str) -> Grant:
    """Return the grant of that id, or the first grant of the deal of that id."""
    found = grants_for_reading(user).filter(Q(public_id=public_id) | Q(deal=public_id)).order_by("id").first()
    if found is None:
        raise NotFoundError("There is no such grant.")
    return found


def grant_or_deal_for_revoking(user: Person, public_id: UUID | str) -> Grant:
    """Return what may be read, and to a label's guest that names its id what nobody said is another label's.

    As long as no party of a house stands for any organisation, the role alone says who may revoke there.
    """
    try:
        return grant_or_deal_for_reading(user, public_id)
    except NotFoundError:
        unsaid = ~Exists(
            Party.objects.filter(organisation=OuterRef("organisation"), stands_for__isnull=False)
        )
        found = Grant.objects.filter(unsaid, Q(public_id=public_id) | Q(deal=public_id))
        grant = found.filter(organisation__in=labels_of(user)).order_by("id").first()
        if grant is None:
            raise
        return grant


def party_for_reading(user: Person, public_id: UUID | str) -> Party:
    """Return a party as one's own house knows it: the same name in another house is another party."""
    found = (
        Party.objects.filter(Q(organisation__in=houses_of(user)) | Q(pk__in=parties_of(user).values("pk")))
        .filter(organisation__in=organisations_of(user), public_id=public_id)
        .select_related("organisation", "stands_for")
        .first()
    )
    if found is None:
        raise NotFoundError("There is no such party.")
    return found


def claim_for_reading(user: Person, public_id: UUID | str) -> RightsClaim:
    found = claims_for_reading(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such claim.")
    return found


def conflict_for_reading(user: Person, public_id: UUID | str) -> Conflict:
    found = conflicts_for_reading(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such conflict.")
    return found


def catalogues_for_reading(user: Person) -> QuerySet[Catalogue]:
    """Return the catalogues that ``user`` brought, and those of labels that they audit for.

    A label that asks as a guest, within the organisation that owns the dataset, is read by nobody else there: the
    owner reads who asked and how much was found (`catalogue_runs_for_reading`), and no row.
    """
    if not isinstance(user, User) or not user.is_active:
        return Catalogue.objects.none()
    if user.is_system:
        return Catalogue.objects.select_related("organisation", "uploaded_by")
    audits = Member.objects.current(timezone.now()).filter(user=user, role=Role.LABEL_AUDITOR)
    asked_at_home = CatalogueRun.objects.filter(
        catalogue=OuterRef("pk"), dataset__organisation=F("catalogue__organisation")
    )
    of_own_label = Q(organisation__in=audits.values("organisation")) & ~Exists(asked_at_home)
    return Catalogue.objects.filter(Q(uploaded_by=user) | of_own_label).select_related(
        "organisation", "uploaded_by"
    )


def catalogue_for_reading(user: Person, public_id: UUID | str) -> Catalogue:
    found = catalogues_for_reading(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such catalogue.")
    return found


def catalogue_runs_for_reading(user: Person) -> QuerySet[CatalogueRun]:
    """Return what was asked of the datasets that ``user`` answers for: who, when, how much; never which rows."""
    if not isinstance(user, User) or not user.is_active:
        return CatalogueRun.objects.none()
    runs = CatalogueRun.objects.select_related("dataset", "asked_by", "catalogue__organisation")
    if user.is_system:
        return runs
    answers = Member.objects.current(timezone.now()).filter(user=user).exclude(role=Role.LABEL_AUDITOR)
    return runs.filter(dataset__organisation__in=answers.values("organisation"))


def run_answers_for_reading(user: Person, catalogue: Catalogue) -> QuerySet[CatalogueRun]:
    """Return the answers that ``user`` may still read: of datasets whose owner lets them ask today."""
    return catalogue.runs.filter(
        is_latest=True, dataset__organisation__in=organisations_of(user)
    ).select_related("dataset", "dataset__organisation", "asked_by")


def run_answers_of(user: Person, catalogues: Iterable[Catalogue]) -> dict[int, list[CatalogueRun]]:
    """Return the same of many catalogues, by their keys, in one query."""
    found: dict[int, list[CatalogueRun]] = {}
    runs = CatalogueRun.objects.filter(
        catalogue__in=[one.pk for one in catalogues],
        is_latest=True,
        dataset__organisation__in=organisations_of(user),
    )
    for run in runs.select_related("dataset"):
        found.setdefault(run.catalogue_id, []).append(run)
    return found


def reservations_for_reading(user: Person) -> QuerySet[Reservation]:
    """Return the opt-outs that a person may know of; a label's guest sees its own parties' and those it recorded."""
    declared = Q(organisation__in=organisations_of(user), recorded_by_id=user.pk)
    return Reservation.objects.filter(
        Q(organisation__in=houses_of(user)) | Q(party__stands_for__in=labels_of(user)) | declared
    ).select_related("organisation", "party", "party__stands_for", "document", "recorded_by", "withdrawn_by")


def reservation_for_reading(user: Person, public_id: UUID | str) -> Reservation:
    found = reservations_for_reading(user).filter(public_id=_uuid(public_id, "opt-out")).first()
    if found is None:
        raise NotFoundError("There is no such opt-out.")
    return found


def memos_for_reading(user: Person) -> QuerySet[ExceptionMemo]:
    """Return the memos of the organisations where a person holds a role that reads legal advice."""
    own = [one for one in organisations_of(user) if may(user, one, READS_MEMOS)]
    return ExceptionMemo.objects.filter(organisation__in=own).select_related(
        "organisation", "recorded_by", "withdrawn_by", "document"
    )


def memo_for_reading(user: Person, public_id: UUID | str) -> ExceptionMemo:
    found = memos_for_reading(user).filter(public_id=_uuid(public_id, "memo")).first()
    if found is None:
        raise NotFoundError("There is no such memo.")
    return found


def _uuid(written: UUID | str, what: str) -> UUID:
    try:
        return written if isinstance(written, UUID) else UUID(written)
    except ValueError:
        raise NotFoundError(f"There is no such {what}.") from None
